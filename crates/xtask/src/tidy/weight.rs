//! Which packages a room reaches, however many steps away, by what cargo resolved. Judges names, not sizes.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    Problem,
    floors::{ROOMS, Room},
};

/// Forbidden packages that rooms reach, by the output of `cargo metadata`.
pub(super) fn problems(metadata: &Value) -> Result<Vec<Problem>> {
    let graph = Graph::read(metadata)?;
    let mut problems = Vec::new();
    for room in ROOMS {
        problems.extend(graph.of_room(room));
    }
    Ok(problems)
}

/// Who links whom; test dependencies are left out, because they do not ship.
struct Graph<'a> {
    names: BTreeMap<&'a str, &'a str>,
    links: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    fn read(metadata: &'a Value) -> Result<Self> {
        let packages = metadata["packages"].as_array().context("`cargo metadata` names no packages")?;
        let nodes = metadata["resolve"]["nodes"].as_array().context("`cargo metadata` resolved nothing")?;
        let names =
            packages.iter().filter_map(|it| Some((it["id"].as_str()?, it["name"].as_str()?))).collect();
        let links = nodes.iter().filter_map(|node| Some((node["id"].as_str()?, shipped(node)))).collect();
        Ok(Self { names, links })
    }

    /// One problem for each forbidden package, with the shortest way to it.
    fn of_room(&self, room: &Room) -> Vec<Problem> {
        let package = room.package();
        let Some((start, _)) = self.names.iter().find(|(_, name)| **name == package) else {
            return Vec::new();
        };
        let ways = self.ways_from(start);
        let mut problems = Vec::new();
        for (id, came_from) in &ways {
            let name = self.names.get(id).copied().unwrap_or_default();
            if came_from.is_some() && room.must_not_reach(name) {
                let what =
                    format!("reaches `{name}`, which it must never: {}", self.way(&ways, id).join(" → "));
                let path = format!("crates/{}/Cargo.toml", room.name);
                problems.push(Problem::new(
                    path,
                    what,
                    "cut the way at its first step, or turn a feature off",
                ));
            }
        }
        problems
    }

    /// Breadth first: each reached package, and through which one.
    fn ways_from(&self, start: &'a str) -> BTreeMap<&'a str, Option<&'a str>> {
        let mut ways = BTreeMap::from([(start, None)]);
        let mut queue = VecDeque::from([start]);
        while let Some(id) = queue.pop_front() {
            for next in self.links.get(id).into_iter().flatten().copied() {
                if !ways.contains_key(next) {
                    ways.insert(next, Some(id));
                    queue.push_back(next);
                }
            }
        }
        ways
    }

    fn way(&self, ways: &BTreeMap<&'a str, Option<&'a str>>, to: &'a str) -> Vec<&'a str> {
        let back = std::iter::successors(Some(to), |id| ways.get(id).copied().flatten());
        let mut names: Vec<&str> = back.filter_map(|id| self.names.get(id).copied()).collect();
        names.reverse();
        names
    }
}

/// What a package links or builds with.
fn shipped(node: &Value) -> Vec<&str> {
    let is_shipped = |link: &&Value| {
        link["dep_kinds"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|it| it["kind"].as_str() != Some("dev")))
    };
    let links = node["deps"].as_array().into_iter().flatten();
    links.filter(is_shipped).filter_map(|link| link["pkg"].as_str()).collect()
}
