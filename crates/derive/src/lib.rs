//! `#[derive(Element)]`: host structs whose layout evener checks against WGSL structs.

use proc_macro::TokenStream;
use proc_macro2::{Span, TokenStream as Tokens};
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Result, parse_macro_input, spanned::Spanned};

/// Derives `evener::kernel::layout::Element` for a `#[repr(C)]` struct with named fields that are elements.
///
/// A compile error says what is wrong: no `#[repr(C)]`, type parameters, an enum, a field that is no element, or
/// padding between the fields (which would be uninitialised bytes: fill it with a field such as `_pad: f32`).
#[proc_macro_derive(Element)]
pub fn derive_element(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> Result<Tokens> {
    let name = &input.ident;
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) if !fields.named.is_empty() => &fields.named,
            _ => return Err(Error::new(name.span(), "Element needs named fields: they are matched with WGSL by name")),
        },
        Data::Enum(_) => return Err(Error::new(name.span(), "Element is for structs: WGSL has no enums")),
        Data::Union(_) => return Err(Error::new(name.span(), "Element is for structs: WGSL has no unions")),
    };
    if !input.generics.params.is_empty() {
        let message = "Element needs a struct without parameters: its layout must be one";
        return Err(Error::new(input.generics.span(), message));
    }
    check_repr(&input.attrs, name.span())?;
    let idents: Vec<_> = fields.iter().filter_map(|f| f.ident.as_ref()).collect();
    let names = idents.iter().map(|i| i.to_string().trim_start_matches("r#").to_owned());
    let types: Vec<_> = fields.iter().map(|f| &f.ty).collect();
    let padding = format!(
        "`{name}` has padding between or after its fields: fill it with fields whose names start with `_`, such as `_pad: f32`"
    );
    let text = name.to_string();
    Ok(quote! {
        const _: () = {
            use ::evener::kernel::layout::{Element, HostMember, HostType, host::HostShape};
            const fn element<T: Element>() -> usize { ::core::mem::size_of::<T>() }
            ::core::assert!(0 #(+ element::<#types>())* == ::core::mem::size_of::<#name>(), #padding);
            // SAFETY: the struct is `repr(C)`, its fields are elements, and the assertion above leaves no padding.
            unsafe impl Element for #name {
                const TYPE: HostType = HostType {
                    size: ::core::mem::size_of::<#name>(),
                    shape: HostShape::Struct {
                        name: #text,
                        members: &[#(HostMember {
                            name: #names,
                            offset: ::core::mem::offset_of!(#name, #idents),
                            ty: &<#types as Element>::TYPE,
                        }),*],
                    },
                };
            }
        };
    })
}

/// The order of fields is that of the source only under `repr(C)`; `packed` would break their alignment.
fn check_repr(attributes: &[Attribute], span: Span) -> Result<()> {
    let mut is_c = false;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("repr")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("packed") {
                return Err(meta.error("Element does not take `packed` structs"));
            }
            is_c |= meta.path.is_ident("C") || meta.path.is_ident("transparent");
            if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<Tokens>()?;
            }
            Ok(())
        })?;
    }
    if is_c {
        Ok(())
    } else {
        Err(Error::new(span, "Element needs #[repr(C)]: without it Rust may reorder the fields"))
    }
}
