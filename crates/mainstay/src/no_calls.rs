//! Calls in a program that is built without them: there are none.

use std::{future::Future, sync::Arc};

use crate::{called::Called, controller::Outlet};

/// No calls.
pub(crate) struct Calls(Arc<dyn Outlet>);

impl Calls {
    #[expect(clippy::unnecessary_wraps, reason = "with calls there is something to fail")]
    pub(crate) fn begin(called: Called) -> Result<Self, String> {
        Ok(Self(called.outlet))
    }

    pub(crate) fn outlet(&self) -> Arc<dyn Outlet> {
        Arc::clone(&self.0)
    }

    pub(crate) async fn beside<T>(self, life: impl Future<Output = T>) -> T {
        life.await
    }
}
