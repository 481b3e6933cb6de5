//! `#[service]`: how the type is made, and that it is registered.

use darling::{FromMeta, ast::NestedMeta};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Error, Fields, Ident, ItemStruct, Path, Result};

/// What stands in the brackets.
#[derive(Debug, Default, FromMeta)]
struct Arguments {
    /// The name to register it under.
    name: Option<String>,
    /// A function that makes it: `fn(Config, &Context) -> Result<Self>`.
    make: Option<Path>,
    /// The type of its configuration, when `make` has one and no field tells.
    config: Option<Path>,
    /// How long its start may take, like `"30s"`.
    start_timeout: Option<String>,
    /// How long its stop may take, like `"10s"`.
    stop_timeout: Option<String>,
    /// Whose members may call what changes something.
    calls_group: Option<String>,
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let item: ItemStruct = syn::parse2(item).map_err(|error| {
        Error::new(error.span(), "`#[service]` stands on a struct: the service that is made and run")
    })?;
    if let Some(parameter) = item.generics.params.first() {
        let what = "a service is registered once, as one type: it cannot have parameters";
        return Err(Error::new_spanned(parameter, what));
    }
    let arguments = Arguments::from_list(&NestedMeta::parse_meta_list(arguments)?)?;
    let ident = &item.ident;
    let made = made(&item, &arguments)?;
    let name = match &arguments.name {
        Some(name) => {
            check_name(ident, name)?;
            quote!(#name)
        }
        None => {
            let type_name = snake_case(&ident.to_string());
            quote!(::mainstay::private::name_of(::core::file!(), #type_name))
        }
    };
    let start = optional(arguments.start_timeout.as_ref());
    let stop = optional(arguments.stop_timeout.as_ref());
    let group = optional(arguments.calls_group.as_ref());
    let count = format_ident!("KINDS_OF_{}", ident.to_string().to_uppercase());
    Ok(quote! {
        #item

        #made

        #[doc(hidden)]
        const #count: () = ::mainstay::private::check_kinds(&[
            ::mainstay::one_if_implemented!(#ident: ::mainstay::Permanent),
            ::mainstay::one_if_implemented!(#ident: ::mainstay::Blocking),
            ::mainstay::one_if_implemented!(#ident: ::mainstay::SingleShot),
            ::mainstay::one_if_implemented!(#ident: ::mainstay::Periodic),
        ]);

        impl ::mainstay::Registered for #ident {
            const REGISTRATION: ::mainstay::Registration = ::mainstay::Registration::new::<#ident>(
                #name,
                ::mainstay::Place::new(::core::file!(), ::core::line!()),
                || {
                    #[allow(unused_imports, reason = "one of them is used: that of the kind")]
                    use ::mainstay::private::{ViaBlocking, ViaNone, ViaPeriodic, ViaPermanent, ViaSingleShot};
                    (&&&&&::mainstay::private::KindOf::<#ident>::new()).kind()
                },
            )
            .with_timeouts(#start, #stop)
            .with_calls_group(#group);
        }

        ::mainstay::private::inventory::submit! {
            <#ident as ::mainstay::Registered>::REGISTRATION
        }
    })
}

/// The impl of `Service`.
fn made(item: &ItemStruct, arguments: &Arguments) -> Result<TokenStream> {
    let ident = &item.ident;
    if let Some(make) = &arguments.make {
        let config = match (&arguments.config, config_field(item)) {
            (Some(config), _) => quote!(#config),
            (None, Some((_, config))) => quote!(#config),
            (None, None) => quote!(::mainstay::NoConfig),
        };
        return Ok(quote! {
            impl ::mainstay::Service for #ident {
                type Config = #config;
                fn make(config: Self::Config, ctx: &::mainstay::Context) -> ::mainstay::Result<Self> {
                    #make(config, ctx)
                }
            }
        });
    }
    let fields = match &item.fields {
        Fields::Named(fields) => fields.named.iter().collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(fields) => {
            let what = "a service has named fields; the one called `config` gets the configuration, the others their default";
            return Err(Error::new_spanned(fields, what));
        }
    };
    let config = config_field(item);
    let others = fields.iter().filter_map(|field| field.ident.as_ref()).filter(|name| *name != "config");
    let others = others.map(|name| quote!(#name: ::core::default::Default::default()));
    let (config_type, taken) = match &config {
        Some((_, config)) => (quote!(#config), quote!(config,)),
        None => (quote!(::mainstay::NoConfig), quote!()),
    };
    let unused = config.is_none().then(|| quote!(let _ = config;));
    let replace = config.is_some().then(|| {
        quote! {
            fn replace_config(&mut self, config: Self::Config) -> ::core::option::Option<Self::Config> {
                ::core::option::Option::Some(::core::mem::replace(&mut self.config, config))
            }
        }
    });
    Ok(quote! {
        impl ::mainstay::Service for #ident {
            type Config = #config_type;
            fn make(config: Self::Config, _ctx: &::mainstay::Context) -> ::mainstay::Result<Self> {
                #unused
                ::core::result::Result::Ok(Self { #taken #(#others,)* })
            }
            #replace
        }
    })
}

fn config_field(item: &ItemStruct) -> Option<(&Ident, &syn::Type)> {
    item.fields.iter().find_map(|field| {
        let ident = field.ident.as_ref()?;
        (ident == "config").then_some((ident, &field.ty))
    })
}

fn optional(text: Option<&String>) -> TokenStream {
    match text {
        Some(text) => quote!(::core::option::Option::Some(#text)),
        None => quote!(::core::option::Option::None),
    }
}

fn check_name(ident: &Ident, name: &str) -> Result<()> {
    let is_right = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(is_right) {
        let what = format!("`{name}` is no name for a service: use a-z, 0-9, `_`, `-` and `.`");
        return Err(Error::new_spanned(ident, what));
    }
    Ok(())
}

/// `HelloWorld` as `hello_world`, `HTTPDoor` as `http_door`.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut text = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        let begins = letter.is_uppercase()
            && before.is_some_and(|before| !before.is_uppercase() || after.is_some_and(|c| c.is_lowercase()));
        if begins && before != Some(&'_') {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn names_of_types_become_names_of_services() {
        for (name, expected) in [
            ("HelloWorld", "hello_world"),
            ("HTTPDoor", "http_door"),
            ("Sync", "sync"),
            ("Http2Server", "http2_server"),
            ("Odd_Name", "odd_name"),
        ] {
            assert_eq!(snake_case(name), expected);
        }
    }
}
