//! The bench for roles.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use abi_stable::std_types::{RResult, RSlice, RString};
use kozo_description::ModuleKind;
use kozo_faces::{Face, Input, Reading, Source};
use kozo_ground::interest::Interest;
use kozo_ground::names::{NodeName, RoleName};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Incoming;
use super::description;
use super::given::Given;
use super::role_host::{CONFIGURED_INBOX, Host};
use crate::export::{self, Described};
use crate::ffi::{InboxParts, RoleParts};
use crate::{Error, InboxLimits, Kind, Level, Message, Pace, Role};

/// A role about to be started: what the configuration says of it, and what it stored before.
///
/// See [the module](super) for an example.
#[derive(Debug)]
pub struct RoleBench<R> {
    node: Option<String>,
    name: Option<String>,
    options: Result<Given, String>,
    older_host: bool,
    stored: Option<Vec<u8>>,
    answers: Vec<(String, Vec<u8>)>,
    role: PhantomData<fn() -> R>,
}

impl<R: Role + Described> RoleBench<R> {
    /// A role on the node `node`, named like its module, without any option given.
    #[allow(clippy::new_without_default)] // Nobody needs it as a part of something larger.
    pub fn new() -> Self {
        Self {
            node: None,
            name: None,
            options: Ok(Given::default()),
            older_host: false,
            stored: None,
            answers: Vec::new(),
            role: PhantomData,
        }
    }

    /// The name of the node it is on.
    pub fn node(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    /// The name of the role.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Gives an option, as the configuration would.
    pub fn option(mut self, name: &str, value: impl Serialize) -> Self {
        if let Ok(options) = &mut self.options {
            if let Err(error) = options.set(name, &value) {
                self.options = Err(format!("option `{name}`: {error}"));
            }
        }
        self
    }

    /// Acts as a host that knows only the format 1.0 of metadata: formats of texts, options that
    /// exclude each other, and numbers that limit each other are left to the module, and a role of which an
    /// option lists what it wants is told of everything. Nobody is told of faces.
    pub fn older_host(mut self) -> Self {
        self.older_host = true;
        self
    }

    /// What the role stored in an earlier run.
    ///
    /// # Panics
    /// The value cannot be written as MessagePack.
    pub fn store(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        let value = rmp_serde::to_vec_named(value)
            .unwrap_or_else(|error| panic!("the test's value cannot be encoded: {error}"));
        self.stored = Some(value);
        self
    }

    /// What the host answers to the questions `request` of [`RoleHost::ask`](crate::RoleHost::ask). Of
    /// several answers to one request each is given once, the last one again and again.
    ///
    /// # Panics
    /// The value cannot be written as MessagePack.
    pub fn answer(mut self, request: &str, answer: &(impl Serialize + ?Sized)) -> Self {
        let answer = rmp_serde::to_vec_named(answer)
            .unwrap_or_else(|error| panic!("the test's value cannot be encoded: {error}"));
        self.answers.push((request.to_owned(), answer));
        self
    }

    /// Checks the options and makes the role.
    ///
    /// # Errors
    /// A fault of `module.yaml`; an option that is missing or unknown, or has a value that a host would refuse;
    /// whatever [`Role::new`] says.
    pub fn start(self) -> Result<StartedRole, Error> {
        let mut metadata = description::read(R::METADATA, ModuleKind::Role)?;
        if self.older_host {
            metadata.leave_rules_to_the_module();
        }
        let node = self.node.as_deref().unwrap_or("node");
        let node = description::name("node", node, NodeName::new)?;
        let name = self.name.as_deref().unwrap_or(metadata.name.as_str());
        let name = description::name("role", name, RoleName::new)?;
        let (options, faces) =
            description::options(&metadata, self.options?, node.as_str(), name.as_str())?;
        let interests = metadata.interests(&options, node.as_str(), &name);
        let (node, name) = (node.to_string(), name.to_string());
        let host = Arc::new(Host::new(node, name, metadata.storage));
        host.state().stored = self.stored;
        for (request, answer) in self.answers {
            let mut state = host.state();
            state.answers.entry(request).or_default().push_back(answer);
        }

        let options = rmp_serde::to_vec_named(&options)?;
        let create = export::role_module::<R>().create();
        let role = outcome(create(host.handle(), RSlice::from_slice(&options)))?;
        let mut started = StartedRole {
            role: Some(role),
            host,
            interests,
            faces,
        };
        let InboxLimits { length, size } = CONFIGURED_INBOX;
        let configured = InboxParts { length, size };
        let InboxParts { length, size } =
            started.call(|role| role.vtable.inbox()(role.data, configured))?;
        started.host.state().inbox_limits = InboxLimits { length, size };
        Ok(started)
    }
}

/// A role at work on the bench. Dropping it drops the role.
pub struct StartedRole {
    /// None once it was stopped.
    role: Option<RoleParts>,
    host: Arc<Host>,
    interests: Vec<Interest>,
    faces: Vec<Face>,
}

impl StartedRole {
    /// Puts a message into the role's inbox, provided that the role's interests let it in;
    /// whether they do. As on a host, a full inbox drops its oldest message (see
    /// [`inbox`](Self::inbox)).
    pub fn deliver(&mut self, message: Incoming) -> bool {
        let wanted = self
            .interests
            .iter()
            .any(|one| one.matches(&message.subject()));
        if wanted {
            self.host.state().push(message);
        }
        wanted
    }

    /// What the role is for people and other systems, as its node would tell it: what `module.yaml` declares, with the
    /// options and names filled in, and what the option `face` says.
    ///
    pub fn faces(&self) -> &[Face] {
        &self.faces
    }

    /// What the face of this name shows after a message that the role has sent. None: the message is not about it, or
    /// has no data that says how it is.
    ///
    /// # Errors
    /// The role has no such face, or the message's data cannot be read.
    pub fn shown(&self, face: &str, message: &Message) -> Result<Option<Reading>, Error> {
        let face = self.face(face)?;
        let fits = |state: &Source| {
            message.kind() == Kind::Event && state.fits(message.type_name(), message.channel())
        };
        match &face.state {
            Some(state) if fits(state) => Ok(face.shown(&message.data()?)),
            _ => Ok(None),
        }
    }

    /// Puts the order that the face of this name gives for `input` into the role's inbox; whether the role's
    /// interests let it in.
    ///
    /// # Errors
    /// The role has no such face, or the face does not take that.
    pub fn use_face(&mut self, face: &str, input: Input<'_>) -> Result<bool, Error> {
        let face = self.face(face)?;
        let data = face.order_data(input)?;
        let Some(command) = &face.command else {
            return Err("the face gives no orders".into());
        };
        let order = Incoming::order(&command.order).data(&data);
        let order = match &command.channel {
            Some(channel) => order.channel(channel),
            None => order,
        };
        Ok(self.deliver(order))
    }

    fn face(&self, name: &str) -> Result<&Face, Error> {
        let mut faces = self.faces.iter();
        let face = faces.find(|face| face.face == name);
        face.ok_or_else(|| format!("the role has no face `{name}`").into())
    }

    /// Calls the role's `run` once.
    ///
    /// # Errors
    /// The role's own, a panic's text, or that the role was stopped.
    pub fn run(&mut self) -> Result<(), Error> {
        let result = self.call(|role| role.vtable.run()(role.data));
        self.host.state().interrupted = false;
        result
    }

    /// Makes every wait end at once during the next [`run`](Self::run), as a host does that needs
    /// the role to return.
    pub fn interrupt(&mut self) {
        self.host.state().interrupted = true;
    }

    /// Calls the role's `reopen`, as a host does on SIGHUP.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn reopen(&mut self) -> Result<(), Error> {
        self.call(|role| role.vtable.reopen()(role.data))
    }

    /// Stops the role, and drops it. What it sent, logged and stored can still be read.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn stop(&mut self) -> Result<(), Error> {
        self.host.state().stopping = true;
        let stopped = self.call(|role| role.vtable.stop()(role.data));
        let dropped = self.drop_role();
        stopped.and(dropped)
    }

    /// What the role is about, as it has said last; empty when it has said nothing.
    pub fn status(&self) -> String {
        self.host.state().status.clone()
    }

    /// The messages that the role has sent since the last call.
    pub fn sent(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.host.state().sent)
    }

    /// Waits, in reality, until the role has sent `count` messages since the last call, and takes
    /// them: for roles with threads of their own.
    ///
    /// # Errors
    /// There were fewer after `limit`: how many.
    pub fn wait_for_sent(&mut self, count: usize, limit: Duration) -> Result<Vec<Message>, Error> {
        if self.host.wait_for_sent(count, limit) {
            return Ok(self.sent());
        }
        let found = self.host.state().sent.len();
        Err(format!("{found} messages were sent instead of {count} within {limit:?}").into())
    }

    /// Whether paced sends find room; they do unless this says otherwise.
    pub fn room(&mut self, room: bool) {
        self.host.state().room = room;
    }

    /// The lines that the role has written to the host's log since the last call.
    pub fn logged(&mut self) -> Vec<(Level, String)> {
        std::mem::take(&mut self.host.state().logged)
    }

    /// What the role has stored; None when it has stored nothing.
    ///
    /// # Errors
    /// The value is of another shape than `T`.
    pub fn stored<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        match &self.host.state().stored {
            Some(value) => Ok(Some(rmp_serde::from_slice(value)?)),
            None => Ok(None),
        }
    }

    /// Takes the questions that the role has asked since, as values of type `T`.
    ///
    /// # Errors
    /// One is of another shape.
    pub fn asked<T: DeserializeOwned>(&mut self) -> Result<Vec<T>, Error> {
        let asked = std::mem::take(&mut self.host.state().asked);
        let asked = asked.iter().map(|question| rmp_serde::from_slice(question));
        Ok(asked.collect::<Result<_, _>>()?)
    }

    /// Makes every access to the storage fail from now on, with this reason; None: it works.
    pub fn fail_storage(&mut self, reason: Option<&str>) {
        self.host.state().storage_failure = reason.map(str::to_owned);
    }

    /// How far the bench's clock has moved on since the start.
    pub fn elapsed(&self) -> Duration {
        self.host.state().elapsed
    }

    /// When the role wants `run` to be called again.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn pace(&mut self) -> Result<Pace, Error> {
        let parts = self.call(|role| role.vtable.pace()(role.data))?;
        Ok(
            match parts.interval_nanos.map(Duration::from_nanos).into() {
                None => Pace::AtOnce,
                Some(interval) if parts.messages_interrupt => Pace::EveryOrMessage(interval),
                Some(interval) => Pace::Every(interval),
            },
        )
    }

    /// The limits of its inbox, where the configuration says 8 messages and 4 MiB.
    pub fn inbox(&self) -> InboxLimits {
        self.host.state().inbox_limits
    }

    fn call<T>(
        &mut self,
        function: impl FnOnce(&RoleParts) -> RResult<T, RString>,
    ) -> Result<T, Error> {
        match &self.role {
            Some(role) => outcome(function(role)),
            None => Err("the role was stopped".into()),
        }
    }

    fn drop_role(&mut self) -> Result<(), Error> {
        match self.role.take() {
            Some(role) => outcome(role.vtable.drop()(role.data)),
            None => Ok(()),
        }
    }
}

impl Drop for StartedRole {
    fn drop(&mut self) {
        // Threads of the role's own that wait for something are told first.
        self.host.state().stopping = true;
        let dropped = self.drop_role();
        if !std::thread::panicking() {
            dropped.expect("the role drops without a panic");
        }
    }
}

impl std::fmt::Debug for StartedRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StartedRole({}@{})", self.host.name, self.host.node)
    }
}

pub(super) fn outcome<T>(result: RResult<T, RString>) -> Result<T, Error> {
    result
        .into_result()
        .map_err(|reason| String::from(reason).into())
}
