//! Which services a program has: by `#[service]`, or added by hand.

use std::{any::type_name, fmt};

use crate::{Place, Service, ServiceConfig, SettingShape, body::Maker};

inventory::collect!(Registration);

/// A type that can be run as a service.
#[derive(Clone, Copy)]
pub struct Registration {
    /// Its name.
    pub(crate) name: &'static str,
    /// Of the type, for people.
    pub(crate) type_name: fn() -> &'static str,
    pub(crate) place: Place,
    pub(crate) maker: fn() -> Maker,
    pub(crate) settings: fn() -> Vec<SettingShape>,
    pub(crate) start_timeout: Option<&'static str>,
    pub(crate) stop_timeout: Option<&'static str>,
    /// Whose members may call what changes something.
    pub(crate) calls_group: Option<&'static str>,
}

impl Registration {
    /// What [`#[service]`](crate::service) submits.
    #[doc(hidden)]
    pub const fn new<T: Service>(name: &'static str, place: Place, maker: fn() -> Maker) -> Self {
        Self {
            name,
            type_name: type_name::<T>,
            place,
            maker,
            settings: <T::Config as ServiceConfig>::settings,
            start_timeout: None,
            stop_timeout: None,
            calls_group: None,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn with_timeouts(self, start: Option<&'static str>, stop: Option<&'static str>) -> Self {
        Self { start_timeout: start, stop_timeout: stop, ..self }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn with_calls_group(self, group: Option<&'static str>) -> Self {
        Self { calls_group: group, ..self }
    }

    /// The name under which it is run.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its settings.
    pub fn settings(&self) -> Vec<SettingShape> {
        (self.settings)()
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, (self.type_name)(), self.place)
    }
}

/// What [`#[service]`](crate::service) writes beside [`Service`].
pub trait Registered: Service {
    /// Its name, and how it is made.
    const REGISTRATION: Registration;
}

/// The services of a program.
///
/// ```
/// # use mainstay::{prelude::*, Registry};
/// #[service(name = "beacon")]
/// struct Beacon;
/// # impl SingleShot for Beacon { async fn execute(&mut self, _ctx: &Context) -> Result { Ok(()) } }
///
/// assert!(Registry::discover().names().any(|name| name == "beacon"));
/// assert_eq!(Registry::new().add::<Beacon>().names().collect::<Vec<_>>(), ["beacon"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry {
    services: Vec<Registration>,
}

/// Two services of one name.
#[derive(Clone, Debug)]
pub struct RegistryError(Box<(Registration, Registration)>);

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, other) = &*self.0;
        write!(
            f,
            "two services are called `{}`: {} at {} and {} at {}; give one of them another name: #[service(name = \"…\")]",
            one.name,
            (one.type_name)(),
            one.place,
            (other.type_name)(),
            other.place
        )
    }
}

impl std::error::Error for RegistryError {}

impl Registry {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every type with [`#[service]`](crate::service) that is linked into this program.
    pub fn discover() -> Self {
        inventory::iter::<Registration>().fold(Self::new(), |registry, found| registry.with(*found))
    }

    /// This one as well.
    #[must_use]
    pub fn add<T: Registered>(self) -> Self {
        self.with(T::REGISTRATION)
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.services.iter().map(Registration::name)
    }

    /// Finds two of one name.
    ///
    /// # Errors
    /// They exist; it names both places.
    pub fn check(&self) -> Result<(), RegistryError> {
        let same = self.services.windows(2).find_map(|pair| match pair {
            [one, other] if one.name == other.name => Some(RegistryError(Box::new((*one, *other)))),
            _ => None,
        });
        same.map_or(Ok(()), Err)
    }

    /// In the order of their names; the linker's order is nobody's.
    fn with(mut self, registration: Registration) -> Self {
        let key = |one: &Registration| (one.name, one.place);
        let at = self.services.partition_point(|one| key(one) <= key(&registration));
        self.services.insert(at, registration);
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Registration> {
        self.services.iter().find(|one| one.name == name)
    }

    pub(crate) fn all(&self) -> &[Registration] {
        &self.services
    }
}
