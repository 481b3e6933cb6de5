//! A project's file, its local overrides and a variable: any bytes. No panic, and a refusal that names a place; what is
//! accepted can be edited and explained.
#![no_main]

use std::{collections::BTreeMap, io, path::PathBuf};

use libfuzzer_sys::fuzz_target;
use mainstay_config::{Inputs, Key, Source, explain, load, set, unset};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0);
    let base = Source::from_bytes("mainstay.toml", parts.next().unwrap_or_default().to_vec());
    let local = parts.next().map(|bytes| Source::from_bytes("mainstay.local.toml", bytes.to_vec()));
    let (Ok(base), Ok(local)) = (base, local.transpose()) else { return };
    let value = String::from_utf8_lossy(parts.next().unwrap_or(b"a b")).into_owned();
    let variables = BTreeMap::from([("A".to_owned(), value.clone())]);
    let text = base.text.clone();
    let inputs = Inputs {
        base: vec![base],
        local,
        directory: PathBuf::from("/srv/shop"),
        variables: &variables,
        read: &|_| Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    match load(&inputs) {
        Ok(project) => {
            assert!(!project.specs.is_empty());
            explain(&inputs).expect("what is valid can be explained");
        }
        Err(problems) => {
            assert!(problems.iter().len() > 0);
            for problem in problems.iter() {
                assert!(problem.line() > 0 && problem.column() > 0);
                assert!(!problem.plain().is_empty());
            }
        }
    }
    if let Ok(key) = "service.api.env.A".parse::<Key>() {
        let _ = set(&text, &key, &value);
        let _ = unset(&text, &key);
    }
});
