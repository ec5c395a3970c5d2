//! The shortest path from a policy to an artifact.

use std::fs;

use crate::harness::World;

#[test]
fn a_backup_is_made_verified_published_and_told() {
    let world = World::new();
    fs::write(world.path("source/hello"), "hello\n").unwrap();
    world.files_job().govern(["run", "files"]).expect(0);
    let manifest = world.manifest("files");
    assert_eq!(manifest["verified"], "list");
    let run = world.last_run("files");
    assert_eq!(run["state"], "ok");
    let phases: Vec<&str> = run["phases"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(phases, ["wait", "prepare", "archive", "flush", "verify", "publish"]);
    let restored = world.path("restored");
    world.govern(["restore", "files", "--to", restored.to_str().unwrap()]).expect(0);
    let below = world.path("source").strip_prefix("/").unwrap().join("hello");
    assert_eq!(fs::read_to_string(restored.join(below)).unwrap(), "hello\n");
    world.govern(["verify", "files"]).expect(0);
    let status = world.govern(["status", "--json"]).expect(0).json();
    assert_eq!(status["jobs"][0]["job"], "files");
    assert_eq!(status["jobs"][0]["last_good"]["run"], manifest["run"]);
}
