//! `#[calls]`: the methods of a service that can be called from outside, with their arguments read from JSON.

use darling::{FromMeta, ast::NestedMeta, util::Flag};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, ImplItem, ImplItemFn, ItemImpl, Meta, Pat,
    PathArguments, Receiver, ReceiverKind, Result, ReturnType, Type, spanned::Spanned as _,
};

use crate::help::help;

/// What stands in `#[call(…)]`.
#[derive(Debug, Default, FromMeta)]
struct Said {
    /// Another name than the function's.
    name: Option<String>,
    /// It changes nothing: whoever may connect may call it.
    reads: Flag,
}

/// A method that can be called.
struct Call {
    said: Said,
    ident: Ident,
    help: String,
    /// The `self` of it.
    receiver: Option<Receiver>,
    is_async: bool,
    /// In their order.
    parameters: Vec<Parameter>,
}

enum Parameter {
    Context,
    Argument { ident: Ident, ty: Box<Type> },
}

/// Methods that every service has.
const BUILT_IN: [&str; 11] = [
    "methods",
    "status",
    "health",
    "stats",
    "config.get",
    "config.set",
    "reload",
    "restart",
    "stop",
    "trigger",
    "subscribe",
];

pub(crate) fn expand(arguments: &TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "`#[calls]` takes nothing: `#[call]` on a method does"));
    }
    let wrong_place =
        |span: Span| Error::new(span, "`#[calls]` stands on an `impl` block of the service, without a trait");
    let mut item: ItemImpl = syn::parse2(item).map_err(|error| wrong_place(error.span()))?;
    if let Some((path, _)) = &item.trait_ {
        return Err(wrong_place(path.span()));
    }
    if let Some(parameter) = item.generics.params.first() {
        return Err(Error::new_spanned(parameter, "a service cannot have parameters, nor can its calls"));
    }
    let calls = taken(&mut item)?;
    if calls.is_empty() {
        return Err(Error::new_spanned(&item.self_ty, "no method here has `#[call]`: put it on one"));
    }
    let service = &item.self_ty;
    let methods = calls.iter().map(|call| call.method(service));
    let checks = calls.iter().filter_map(|call| call.check(service));
    Ok(quote! {
        #item

        #(#checks)*

        ::mainstay::private::inventory::submit! {
            ::mainstay::private::CallSet {
                service: || ::core::any::TypeId::of::<#service>(),
                methods: &[#(#methods),*],
            }
        }
    })
}

/// The methods with `#[call]`, which loses its meaning with that.
fn taken(item: &mut ItemImpl) -> Result<Vec<Call>> {
    let mut calls: Vec<Call> = Vec::new();
    let mut errors: Option<Error> = None;
    for inner in &mut item.items {
        let ImplItem::Fn(function) = inner else { continue };
        let Some(at) = function.attrs.iter().position(|attribute| attribute.path().is_ident("call")) else {
            continue;
        };
        let attribute = function.attrs.remove(at);
        let call = Call::of(&attribute, function).and_then(|call| {
            match calls.iter().any(|other| other.name() == call.name()) {
                true => {
                    Err(Error::new_spanned(&call.ident, format!("two calls are called `{}`", call.name())))
                }
                false => Ok(call),
            }
        });
        match call {
            Ok(call) => calls.push(call),
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    errors.map_or(Ok(calls), Err)
}

impl Call {
    fn of(attribute: &Attribute, function: &ImplItemFn) -> Result<Self> {
        let said = match &attribute.meta {
            Meta::Path(_) => Said::default(),
            Meta::List(list) => Said::from_list(&NestedMeta::parse_meta_list(list.tokens.clone())?)?,
            Meta::NameValue(_) => {
                return Err(Error::new_spanned(attribute, "write `#[call]`, or `#[call(reads)]`"));
            }
        };
        let signature = &function.sig;
        if let Some(parameter) = signature.generics.params.first() {
            return Err(Error::new_spanned(parameter, "a call cannot have parameters of types or lifetimes"));
        }
        if matches!(signature.output, ReturnType::Default) {
            let what = "a call returns a `Result`: write `-> Result`, or `-> Result<Answer>`";
            return Err(Error::new_spanned(&signature.ident, what));
        }
        let mut receiver = None;
        let mut parameters = Vec::new();
        for input in &signature.inputs {
            match input {
                FnArg::Receiver(own) => receiver = Some(borrowed(own)?),
                FnArg::Typed(typed) => parameters.push(Parameter::of(&typed.pat, &typed.ty)?),
            }
        }
        let call = Self {
            said,
            ident: signature.ident.clone(),
            help: help(&function.attrs),
            receiver,
            is_async: signature.asyncness.is_some(),
            parameters,
        };
        call.check_name()?;
        Ok(call)
    }

    fn name(&self) -> String {
        let own = || self.ident.to_string().trim_start_matches("r#").to_owned();
        self.said.name.clone().unwrap_or_else(own)
    }

    fn check_name(&self) -> Result<()> {
        let name = self.name();
        let is_right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if BUILT_IN.contains(&&*name) {
            let what = format!(
                "every service has a method `{name}` already: give this one another name, `#[call(name = \"…\")]`"
            );
            return Err(Error::new_spanned(&self.ident, what));
        }
        if name.is_empty() || !name.chars().all(is_right) {
            let what = format!("`{name}` is no name for a call: use letters, digits, `_`, `-` and `.`");
            return Err(Error::new_spanned(&self.ident, what));
        }
        Ok(())
    }

    /// What is written down of it.
    fn method(&self, service: &Type) -> TokenStream {
        let (name, help, changes) = (self.name(), &self.help, !self.said.reads.is_present());
        let arguments = self.arguments().map(|(ident, ty)| {
            let (kind, required) = json_type(ty);
            let name = argument_name(ident);
            quote!(::mainstay::private::Argument { name: #name, kind: #kind, is_required: #required })
        });
        let callee = self.callee(service);
        quote! {
            ::mainstay::private::Method {
                name: #name,
                help: #help,
                arguments: &[#(#arguments),*],
                changes: #changes,
                callee: #callee,
            }
        }
    }

    /// How it is called.
    fn callee(&self, service: &Type) -> TokenStream {
        let ident = &self.ident;
        let given = |number: usize| format_ident!("argument_{number}");
        let reads = self.arguments().enumerate().map(|(number, (ident, ty))| {
            let (given, name) = (given(number), argument_name(ident));
            quote!(let #given = arguments.take::<#ty>(#name);)
        });
        let reads = quote!(#(#reads)* arguments.finish()?;);
        let mut number = 0;
        let passed = self.parameters.iter().map(|parameter| match parameter {
            Parameter::Context => quote!(ctx),
            Parameter::Argument { .. } => {
                let given = given(number);
                number += 1;
                quote!(::mainstay::private::read(#given)?)
            }
        });
        let passed: Vec<TokenStream> = passed.collect();
        let wait = self.is_async.then(|| quote!(.await));
        match self.receiver {
            Some(_) => quote! {
                ::mainstay::private::Callee::WithService(|service, ctx, mut arguments| {
                    ::std::boxed::Box::pin(async move {
                        let _ = ctx;
                        let service = ::mainstay::private::service_of::<#service>(service)?;
                        #reads
                        ::mainstay::private::answer(service.#ident(#(#passed),*)#wait)
                    })
                })
            },
            None => quote! {
                ::mainstay::private::Callee::Beside(|ctx, mut arguments| {
                    ::std::boxed::Box::pin(async move {
                        let _ = ctx;
                        #reads
                        ::mainstay::private::answer(<#service>::#ident(#(#passed),*)#wait)
                    })
                })
            },
        }
    }

    /// With `self`, the service must not be one whose own function holds it for all its life.
    fn check(&self, service: &Type) -> Option<TokenStream> {
        let receiver = self.receiver.as_ref()?;
        Some(quote_spanned! { receiver.span()=>
            const _: () = ::mainstay::private::check_call_with_self(
                ::mainstay::one_if_implemented!(#service: ::mainstay::Blocking)
                    + ::mainstay::one_if_implemented!(#service: ::mainstay::SingleShot),
            );
        })
    }

    fn arguments(&self) -> impl Iterator<Item = (&Ident, &Type)> {
        self.parameters.iter().filter_map(|parameter| match parameter {
            Parameter::Context => None,
            Parameter::Argument { ident, ty } => Some((ident, &**ty)),
        })
    }
}

fn borrowed(receiver: &Receiver) -> Result<Receiver> {
    if !matches!(receiver.kind, ReceiverKind::Reference(..)) {
        return Err(Error::new_spanned(receiver, "a call borrows the service: `&self` or `&mut self`"));
    }
    Ok(receiver.clone())
}

impl Parameter {
    fn of(pattern: &Pat, ty: &Type) -> Result<Self> {
        if is_context(ty) {
            return Ok(Self::Context);
        }
        if let Type::Reference(reference) = ty {
            let what =
                "an argument is made from JSON and owned: write `String` for `&str`, `Vec<T>` for `&[T]`";
            return Err(Error::new_spanned(reference, what));
        }
        match pattern {
            Pat::Ident(name) => Ok(Self::Argument { ident: name.ident.clone(), ty: Box::new(ty.clone()) }),
            _ => Err(Error::new_spanned(pattern, "an argument has a name, by which it is called")),
        }
    }
}

/// `&Context`, however it is reached.
fn is_context(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else { return false };
    matches!(&*reference.elem, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Context"))
}

fn argument_name(ident: &Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

/// The type's word in JSON as far as its name tells, and whether there must be a value.
fn json_type(ty: &Type) -> (&'static str, bool) {
    let last = match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Array(_) | Type::Tuple(_) => return ("array", true),
        _ => None,
    };
    let Some(last) = last else { return ("any", true) };
    let kind = match last.ident.to_string().as_str() {
        "String" | "PathBuf" | "char" | "SocketAddr" | "IpAddr" => "string",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => {
            "integer"
        }
        "f32" | "f64" => "number",
        "bool" => "boolean",
        "Vec" | "VecDeque" | "BTreeSet" | "HashSet" => "array",
        "BTreeMap" | "HashMap" => "object",
        "Option" => return (inner(&last.arguments).map_or("any", |ty| json_type(ty).0), false),
        _ => "any",
    };
    (kind, true)
}

fn inner(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(list) = arguments else { return None };
    list.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(item: TokenStream) -> String {
        expand(&TokenStream::new(), item).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_do() {
        for (item, words) in [
            (
                quote!(
                    struct Greeter;
                ),
                "stands on an `impl` block",
            ),
            (quote!(impl Permanent for Greeter { }), "without a trait"),
            (quote!(impl Greeter { fn greet(&self) -> Result { Ok(()) } }), "put it on one"),
            (quote!(impl Greeter { #[call] fn greet(&self) {} }), "write `-> Result`"),
            (quote!(impl Greeter { #[call] fn greet(self) -> Result { Ok(()) } }), "`&self` or `&mut self`"),
            (
                quote!(impl Greeter { #[call] fn greet(name: &str) -> Result { Ok(()) } }),
                "write `String` for `&str`",
            ),
            (
                quote!(impl Greeter { #[call] fn stop(&self) -> Result { Ok(()) } }),
                "every service has a method `stop`",
            ),
            (
                quote!(impl Greeter { #[call(name = "a")] fn b() -> Result { Ok(()) } #[call] fn a() -> Result { Ok(()) } }),
                "two calls are called `a`",
            ),
        ] {
            let told = refused(item);
            assert!(told.contains(words), "{words}: {told}");
        }
    }

    #[test]
    fn types_have_words() {
        for (ty, expected) in [
            (quote!(String), ("string", true)),
            (quote!(Option<u32>), ("integer", false)),
            (quote!(Vec<String>), ("array", true)),
            (quote!(std::collections::BTreeMap<String, u8>), ("object", true)),
            (quote!(f64), ("number", true)),
            (quote!(Colour), ("any", true)),
        ] {
            assert_eq!(json_type(&syn::parse2(ty).unwrap()), expected);
        }
    }
}
