//! A service of systemd's: whether it is there, and whether it is one that does a task and ends.

use std::collections::BTreeMap;

use super::dialect::Dialect;
use super::tool::{Item, Output, Prepared, Tool};
use crate::config::policy::Unit;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::process::{self, Spawn};
use crate::kernel::systemd::Manager;
use crate::kernel::systemd::service::Service;

/// The phase in which it runs.
pub const PHASE: &str = "unit";

/// Finds the manager, and what it knows of the unit.
///
/// # Errors
/// Where systemd does not manage this account's services, or does not answer.
pub async fn look(
    name: &str,
    ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>,
) -> Result<(Manager, Service), Failure> {
    let manager = Manager::of_this_process().map_err(|why| {
        Failure::new(Exit::Unavailable, format!("unit `{name}` cannot be started")).caused_by(why).hint(
            "a job of kind `unit` needs systemd as the service manager; elsewhere `kind = \"command\"` runs the program itself",
        )
    })?;
    let Spawn { argv, env, .. } = manager.showing(name);
    let tool = Tool { argv, env, directory: "/".into(), dialect: Dialect::Plain, own_rights: true };
    let said = ask(tool).await?;
    if !said.success {
        return Err(Failure::new(Exit::Unavailable, format!("systemd does not tell of unit `{name}`"))
            .caused_by(said.stderr.trim()));
    }
    Ok((manager, Service::parse(&said.stdout)))
}

/// Whether a service can be the payload of a job at all.
///
/// # Errors
/// Why it cannot, and what to do.
pub fn suits(name: &str, service: &Service) -> Result<(), Failure> {
    let refuse = |why: String| Failure::new(Exit::Unavailable, format!("unit `{name}` {why}"));
    match service.load.as_str() {
        "loaded" => {}
        "masked" => return Err(refuse("is masked".to_owned()).hint(format!("systemctl unmask {name}"))),
        "bad-setting" | "error" => {
            return Err(refuse("cannot be loaded".to_owned()).hint(format!("systemd-analyze verify {name}")));
        }
        _ => {
            return Err(refuse("does not exist".to_owned())
                .hint("correct `name` in `[unit]`; `systemctl list-unit-files --type=service` lists what there is"));
        }
    }
    let serves = |what: String| {
        refuse(format!("is one that serves, not one that does a task and ends: {what}"))
            .hint("name the service that makes the backup; it is `Type=oneshot` as a rule")
    };
    if !matches!(service.kind.as_str(), "oneshot" | "simple" | "exec" | "idle") {
        return Err(serves(format!("`Type={}`", service.kind)));
    }
    if service.kind != "oneshot" && matches!(service.restart.as_str(), "always" | "on-success") {
        return Err(serves(format!("`Restart={}`", service.restart)));
    }
    Ok(())
}

/// Whether it can be started now.
///
/// # Errors
/// When somebody else has started it.
pub fn is_idle(name: &str, service: &Service) -> Result<(), Failure> {
    if !service.is_at_work() {
        return Ok(());
    }
    let state = format!("{} ({})", service.active, service.sub);
    Err(Failure::new(Exit::NotNow, format!("unit `{name}` is under way already: {state}"))
        .caused_by("govern has not started it; who has is not known")
        .hint(format!(
            "wait for it; a timer that starts it, too, is switched off by `systemctl disable --now {}`",
            timer(name)
        )))
}

/// The timer that starts a service, by its usual name.
fn timer(name: &str) -> String {
    name.strip_suffix(".service").map_or_else(|| name.to_owned(), |stem| format!("{stem}.timer"))
}

/// Looks once more, and says what is to be done.
///
/// # Errors
/// As of [`look`], [`suits`] and [`is_idle`].
pub async fn prepare(
    policy: &Unit,
    ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>,
) -> Result<Prepared, Failure> {
    let (_, service) = look(&policy.name, ask).await?;
    suits(&policy.name, &service)?;
    is_idle(&policy.name, &service)?;
    let tool = Tool::govern(process::own_program()?, ["follow", &policy.name]);
    // Its last line says how the unit ended.
    let tool = Tool { dialect: Dialect::Command { success: vec![0], warning: vec![] }, ..tool };
    let item = Item {
        phase: PHASE,
        label: policy.name.clone(),
        file: None,
        tool,
        reader: None,
        properties: BTreeMap::new(),
        left_out: vec![],
        remark: None,
    };
    Ok(Prepared { items: vec![item], versions: BTreeMap::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(load: &str, kind: &str, restart: &str, active: &str, sub: &str) -> Service {
        Service::parse(&format!(
            "Id=b.service\nLoadState={load}\nType={kind}\nRestart={restart}\nActiveState={active}\nSubState={sub}\n"
        ))
    }

    fn said(result: Result<(), Failure>) -> (u8, String) {
        result.map_or_else(|failure| (failure.code, failure.one_line()), |()| (0, String::new()))
    }

    #[test]
    fn what_is_refused_and_why() {
        let suits = |load, kind, restart| said(suits("b.service", &service(load, kind, restart, "inactive", "dead")));
        for kind in ["oneshot", "simple", "exec", "idle"] {
            assert_eq!(suits("loaded", kind, "no").0, 0);
        }
        assert_eq!(suits("loaded", "oneshot", "on-failure").0, 0);
        assert_eq!(suits("loaded", "simple", "on-failure").0, 0);
        for (load, kind, restart, part) in [
            ("not-found", "", "", "unit `b.service` does not exist"),
            ("masked", "", "", "unit `b.service` is masked"),
            ("bad-setting", "", "", "unit `b.service` cannot be loaded"),
            ("loaded", "notify", "no", "`Type=notify`"),
            ("loaded", "forking", "no", "`Type=forking`"),
            ("loaded", "simple", "always", "`Restart=always`"),
        ] {
            let (code, text) = suits(load, kind, restart);
            assert!(code == 69 && text.contains(part), "{code} {text}");
        }
    }

    #[test]
    fn one_that_runs_is_not_started_again() {
        let idle = |active, sub| said(is_idle("b.service", &service("loaded", "oneshot", "no", active, sub)));
        let (code, text) = idle("activating", "start");
        assert!(code == 75 && text.starts_with("unit `b.service` is under way already: activating (start)"), "{text}");
        for (active, sub) in [("inactive", "dead"), ("failed", "failed"), ("active", "exited")] {
            assert_eq!(idle(active, sub).0, 0);
        }
    }
}
