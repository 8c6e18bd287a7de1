//! Pipeline-overridable constants, by name or by the number of their `@id`.

use crate::error::{Error, ErrorKind, edit_distance};
use naga::{
    Handle, Override,
    back::{
        PipelineConstants,
        pipeline_constants::{PipelineConstantError, process_overrides},
    },
    valid::ModuleInfo,
};
use std::collections::BTreeMap;

/// The module with every override replaced by its value.
pub(super) fn resolve(
    module: &naga::Module,
    info: &ModuleInfo,
    source: &str,
    values: &BTreeMap<String, f64>,
    depth: usize,
) -> Result<(naga::Module, ModuleInfo), Error> {
    let mut constants = PipelineConstants::default();
    for (name, &value) in values {
        let handle = find(module, name)?;
        check_value(module, handle, name, value)?;
        constants.insert(key(module, handle), value);
    }
    super::parse::on_deep_stack(depth, || {
        let (module, info) =
            process_overrides(module, info, None, &constants).map_err(|e| explain(e, module, source))?;
        Ok((module.into_owned(), info.into_owned()))
    })?
}

/// naga's key of an override: its `@id` if it has one, else its name.
fn key(module: &naga::Module, handle: Handle<Override>) -> String {
    let o = &module.overrides[handle];
    o.id.map_or_else(|| o.name.clone().unwrap_or_default(), |id| id.to_string())
}

fn find(module: &naga::Module, name: &str) -> Result<Handle<Override>, Error> {
    let by_name = module.overrides.iter().find(|(_, o)| o.name.as_deref() == Some(name));
    let by_id = || module.overrides.iter().find(|(_, o)| o.id.is_some() && o.id == name.parse().ok());
    by_name.or_else(by_id).map(|(handle, _)| handle).ok_or_else(|| {
        let names: Vec<&str> = module.overrides.iter().filter_map(|(_, o)| o.name.as_deref()).collect();
        let hint = match nearest(name, names.iter().copied()) {
            Some(near) => format!("; did you mean `{near}`?"),
            None if names.is_empty() => "; the module declares none".to_string(),
            None => format!("; the module has `{}`", names.join("`, `")),
        };
        Error::new(ErrorKind::InvalidOverride, format!("no override `{name}`{hint}"))
    })
}

/// A whole number in range for the integer types, 0 or 1 for bool, finite for floats.
fn check_value(module: &naga::Module, handle: Handle<Override>, name: &str, value: f64) -> Result<(), Error> {
    let naga::TypeInner::Scalar(scalar) = module.types[module.overrides[handle].ty].inner else { return Ok(()) };
    let (ty, fits) = match (scalar.kind, scalar.width) {
        (naga::ScalarKind::Bool, _) => ("bool", value == 0.0 || value == 1.0),
        (naga::ScalarKind::Sint, 4) => ("i32", value.fract() == 0.0 && i32::try_from(value as i64).is_ok()),
        (naga::ScalarKind::Uint, 4) => ("u32", value.fract() == 0.0 && u32::try_from(value as i64).is_ok()),
        (naga::ScalarKind::Sint, 2) => ("i16", value.fract() == 0.0 && i16::try_from(value as i64).is_ok()),
        (naga::ScalarKind::Uint, 2) => ("u16", value.fract() == 0.0 && u16::try_from(value as i64).is_ok()),
        (naga::ScalarKind::Sint, _) => ("i64", value.fract() == 0.0 && value.abs() < 9.3e18),
        (naga::ScalarKind::Uint, _) => ("u64", value.fract() == 0.0 && (0.0..1.85e19).contains(&value)),
        (_, 2) => ("f16", value.abs() <= 65504.0),
        (_, 4) => ("f32", value.abs() <= f64::from(f32::MAX)),
        _ => ("float", value.is_finite()),
    };
    if value.is_finite() && fits {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidOverride, format!("override `{name}` is {ty}; {value} is no such value")))
}

fn explain(error: PipelineConstantError, module: &naga::Module, source: &str) -> Error {
    let error_of = |message: String| Error::new(ErrorKind::InvalidOverride, message);
    match error {
        PipelineConstantError::MissingValue(key) => {
            let found = find(module, &key).ok();
            let name = found.and_then(|h| module.overrides[h].name.clone()).unwrap_or(key);
            let span = found.map(|h| module.overrides.get_span(h)).unwrap_or_default();
            error_of(format!("override `{name}` has no value and no default")).at(span, source)
        }
        PipelineConstantError::NotFound(key) => error_of(format!("no override `{key}`")),
        PipelineConstantError::NegativeWorkgroupSize => {
            error_of("an override makes a work-group size that is not positive".to_string())
        }
        PipelineConstantError::ValidationError(e) => {
            let span = e.spans().next().map(|(span, _)| *span).unwrap_or_default();
            error_of(format!("with these overrides the module is not valid: {}", e.emit_to_string(source).trim_end()))
                .at(span, source)
        }
        other => error_of(format!("the overrides cannot be applied: {other}")),
    }
}

/// The candidate nearest to a misspelt name, if any is near.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = name.chars().count().div_ceil(3);
    let scored = candidates.map(|c| (edit_distance(name, c), c));
    scored.filter(|(d, _)| *d <= limit).min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("blocksize", ["block_size", "n"].into_iter()), Some("block_size"));
        assert_eq!(nearest("x", ["block_size"].into_iter()), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
