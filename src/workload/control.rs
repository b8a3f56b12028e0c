//! How the number of a container's processes can be lowered from outside.

use super::command::{call, flag_value};
use super::flags::{Spot, number_of};
use super::processes::{Context, Said, chosen_mode};

/// What sets the number of processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// A variable.
    Variable(String),
    /// A flag, whose number stands here.
    Flag {
        /// Its name, as it stands there.
        name: String,
        /// Its number.
        spot: Spot,
    },
}

/// What sets it in this container; nothing where that is not certain. Arguments win over variables, so a flag that is
/// there is the one that is changed.
#[must_use]
pub fn control(context: &Context, said: Option<Said>) -> Option<Control> {
    match said {
        Some(Said::Env(name)) => return Some(Control::Variable(name.to_owned())),
        Some(Said::Count(_)) => return None,
        None => {}
    }
    let assumed = context.preset.and_then(|p| p.server.as_deref()).and_then(|name| context.catalogue.server(name));
    let call = call(context.container, context.catalogue, assumed)?;
    let (server, setting) = (call.server, &call.server.processes);
    let autoscaled =
        server.autoscale.as_ref().is_some_and(|f| flag_value(&call.args, std::slice::from_ref(f)).is_some());
    let mode = chosen_mode(server, &[(&call.args, "args")]);
    if autoscaled || mode.is_some_and(|mode| mode.processes.is_some() || mode.processes_are_threads) {
        return None;
    }
    if let Some((name, _)) = flag_value(&call.args, &setting.args) {
        let spot = number_of(context.container, &setting.args).ok().flatten()?;
        return Some(Control::Flag { name: name.to_owned(), spot });
    }
    // Arguments of a variable win over other variables, and so does one before the command.
    let arguments = server.args_env.as_ref().is_some_and(|name| context.container.variable(name).is_some());
    let before = |name: &String| call.env.iter().any(|(set, _)| set == name);
    let name = setting.env.first().filter(|_| !arguments && !setting.env.iter().any(before))?;
    Some(Control::Variable(name.clone()))
}
