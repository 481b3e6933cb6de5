//! `#[derive(ServiceConfig)]`: a table of settings, and how a struct is read from their values.

use darling::{FromField, util::Flag};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Expr, Fields, Result};

use crate::help::help;

/// What stands in `#[setting(…)]`, and beside it.
#[derive(Debug, FromField)]
#[darling(attributes(setting), forward_attrs(doc, default, secret, range))]
struct Setting {
    ident: Option<syn::Ident>,
    ty: syn::Type,
    attrs: Vec<Attribute>,
    /// Another name than the field's.
    name: Option<String>,
    /// The environment variable that sets it.
    env: Option<String>,
    /// It can change while the service runs.
    live: Flag,
}

pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    let Data::Struct(data) = &item.data else {
        return Err(Error::new_spanned(
            &item.ident,
            "a configuration is a struct with a field for each setting",
        ));
    };
    let fields: Vec<&syn::Field> = match &data.fields {
        Fields::Named(fields) => fields.named.iter().collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(fields) => {
            return Err(Error::new_spanned(
                fields,
                "each setting needs a name: use a struct with named fields",
            ));
        }
    };
    let settings: Vec<Setting> =
        fields.into_iter().map(Setting::from_field).collect::<std::result::Result<_, _>>()?;
    let ident = &item.ident;
    let (generics, types, filter) = item.generics.split_for_impl();
    let shapes = settings.iter().map(Setting::shape).collect::<Result<Vec<_>>>()?;
    let reads = settings.iter().map(|setting| {
        let (ident, name) = (&setting.ident, setting.name());
        quote!(let #ident = values.take(#name);)
    });
    let names: Vec<_> = settings.iter().map(|setting| &setting.ident).collect();
    let shown = settings.iter().map(Setting::shown);
    let title = ident.to_string();
    Ok(quote! {
        impl #generics ::mainstay::ServiceConfig for #ident #types #filter {
            fn settings() -> ::std::vec::Vec<::mainstay::SettingShape> {
                ::std::vec![#(#shapes),*]
            }
            fn read(values: &mut ::mainstay::SettingValues) -> ::core::option::Option<Self> {
                #(#reads)*
                ::core::option::Option::Some(Self { #(#names: #names?),* })
            }
        }

        impl #generics ::core::fmt::Debug for #ident #types #filter {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#title)#(#shown)*.finish()
            }
        }
    })
}

impl Setting {
    fn name(&self) -> String {
        match (&self.name, &self.ident) {
            (Some(name), _) => name.clone(),
            (None, Some(ident)) => ident.to_string().trim_start_matches("r#").to_owned(),
            (None, None) => String::new(),
        }
    }

    fn is_secret(&self) -> bool {
        self.attrs.iter().any(|attribute| attribute.path().is_ident("secret"))
    }

    /// What a person may know of it.
    fn shape(&self) -> Result<TokenStream> {
        let (name, help, ty) = (self.name(), help(&self.attrs), &self.ty);
        let mut shape = quote!(::mainstay::SettingShape::new::<#ty>(#name, #help));
        if let Some(text) = self.default()? {
            shape = quote!(#shape.with_default(#text));
        }
        if let Some((least, most)) = self.range()? {
            shape = quote!(#shape.within(#least, #most));
        }
        if self.is_secret() {
            shape = quote!(#shape.secret());
        }
        if self.live.is_present() {
            shape = quote!(#shape.live());
        }
        if let Some(variable) = &self.env {
            shape = quote!(#shape.from_variable(#variable));
        }
        Ok(shape)
    }

    /// `#[default("5s")]`, `#[default(8080)]`: as it would stand in a file.
    fn default(&self) -> Result<Option<String>> {
        let Some(attribute) = self.attrs.iter().find(|attribute| attribute.path().is_ident("default")) else {
            return Ok(None);
        };
        let wrong = |_| {
            Error::new_spanned(attribute, "a default is one value: `#[default(\"5s\")]`, `#[default(8080)]`")
        };
        let value: Expr = attribute.parse_args().map_err(wrong)?;
        Ok(Some(quote!(#value).to_string().replace("- ", "-").replace(" , ", ", ")))
    }

    /// `#[range(1, 100)]`: the least and the most, both allowed.
    fn range(&self) -> Result<Option<(String, String)>> {
        let Some(attribute) = self.attrs.iter().find(|attribute| attribute.path().is_ident("range")) else {
            return Ok(None);
        };
        let wrong = |_| {
            Error::new_spanned(
                attribute,
                "bounds are two values, both allowed: `#[range(1, 100)]`, `#[range(\"1s\", \"1h\")]`",
            )
        };
        let both = attribute
            .parse_args_with(syn::punctuated::Punctuated::<Expr, syn::Token![,]>::parse_terminated)
            .map_err(wrong)?;
        let mut both = both.iter().map(|value| quote!(#value).to_string().replace("- ", "-"));
        match (both.next(), both.next(), both.next()) {
            (Some(least), Some(most), None) => Ok(Some((least, most))),
            _ => {
                Err(Error::new_spanned(attribute, "bounds are two values, both allowed: `#[range(1, 100)]`"))
            }
        }
    }

    /// A line of `Debug`.
    fn shown(&self) -> TokenStream {
        let (ident, name) = (&self.ident, self.name());
        match self.is_secret() {
            true => quote!(.field(#name, &::mainstay::private::HIDDEN)),
            false => quote!(.field(#name, &self.#ident)),
        }
    }
}
