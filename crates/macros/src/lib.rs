//! The attributes of `mainstay`, each in its own file. What they mean is documented there, where they are exported.

mod calls;
mod config;
mod help;
mod service;

use proc_macro::TokenStream;

/// Registers a type as a service. Documented as `mainstay::service`.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct the configuration of a service. Documented as `mainstay::ServiceConfig`.
#[proc_macro_derive(ServiceConfig, attributes(default, secret, range, setting))]
pub fn service_config(item: TokenStream) -> TokenStream {
    config::expand(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Offers methods of a service to callers. Documented as `mainstay::calls`.
#[proc_macro_attribute]
pub fn calls(arguments: TokenStream, item: TokenStream) -> TokenStream {
    calls::expand(&arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
