//! Without a client of this crate nobody joins two connections, so no request is let ask for another protocol.

use http::{Extensions, HeaderValue, Method, Request, Response, StatusCode};

use crate::spread::Flight;
use crate::{Body, Error};

pub(crate) enum Upgrading {}

pub(super) enum Tunnel {}

pub(crate) fn is_extended(_: &Method, _: &Extensions) -> bool {
    false
}

pub(crate) fn is_for_stream(_: &Extensions) -> bool {
    false
}

pub(crate) fn asked(_: &Request<Body>) -> Option<HeaderValue> {
    None
}

pub(crate) fn ask(_: &mut Request<Body>, _: HeaderValue) {}

impl Upgrading {
    pub(crate) fn take(_: &mut Request<Body>) -> Option<Self> {
        None
    }

    pub(super) fn is_mistaken_by(&self, _: StatusCode) -> bool {
        match *self {}
    }

    pub(super) fn accept<B>(self, _: Response<B>) -> Result<(Response<Body>, Tunnel), Error> {
        match self {}
    }
}

impl Tunnel {
    pub(super) fn dig(self, _: Flight) {
        match self {}
    }
}
