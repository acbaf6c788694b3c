//! The gRPC health checking protocol: `grpc.health.v1.Health/Check`.

use ::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE};
use ::http::uri::PathAndQuery;
use ::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use ingress_core::{Policy, Protocol};
use tower_service::Service;

use super::ask::Failure;
use super::checked::Question;
use super::http;
use crate::{Body, BoxError};

const METHOD: &str = "/grpc.health.v1.Health/Check";
/// How long an answer may be; a sound one has 7 bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// `HealthCheckResponse.ServingStatus.SERVING`.
const SERVING: u64 = 1;

/// Asks whether a service, or the server as a whole, is serving.
pub(super) async fn ask<C, B>(client: &mut C, question: &Question) -> Result<(), Failure>
where
    C: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let response = http::send(client, request(question)?).await?;
    if response.status() != StatusCode::OK {
        return Err(Failure::Status(response.status().as_u16()));
    }
    let (head, body) = response.into_parts();
    // Where a call fails at once, its status is in the head.
    let told = grpc_status(&head.headers);
    if let Some(code @ 1..) = told {
        return Err(Failure::GrpcStatus(code));
    }
    let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(Failure::new)?;
    match body.trailers().and_then(grpc_status).or(told) {
        Some(0) => {}
        Some(code) => return Err(Failure::GrpcStatus(code)),
        None => return Err(Failure::NoGrpcStatus),
    }
    match serving_status(&body.to_bytes()) {
        Some(SERVING) => Ok(()),
        Some(other) => Err(Failure::NotServing(other)),
        None => Err(Failure::Malformed),
    }
}

fn request(question: &Question) -> Result<Request<Body>, Failure> {
    let mut policy = Policy::clone(question.policy());
    let own = question.endpoint().map(|endpoint| endpoint.protocol()).unwrap_or_default();
    let is_tls = policy.protocol.unwrap_or(own).is_tls();
    // There is no gRPC but over HTTP/2.
    policy.protocol = Some(if is_tls { Protocol::H2 } else { Protocol::H2c });
    let message = message(question.check().service.as_deref().unwrap_or_default());
    let mut request =
        http::request(question, PathAndQuery::from_static(METHOD), &policy, Body::from(message))?;
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(request)
}

/// The status of a call: a number, and anything else is 2, `UNKNOWN`.
fn grpc_status(fields: &HeaderMap) -> Option<u32> {
    let value = fields.get("grpc-status")?;
    Some(value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(2))
}

/// A `HealthCheckRequest { service }` behind its length (gRPC over HTTP/2, "Length-Prefixed-Message").
fn message(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    // Field 1, with a length; one that is empty is left out.
    if !service.is_empty() {
        message.push(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            message.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], &length.to_be_bytes()[..], &message].concat()
}

/// Field 1 of the one message of an answer, `HealthCheckResponse { status }`; 0, `UNKNOWN`, where it is left out. Nothing if
/// it is no such message.
fn serving_status(answer: &[u8]) -> Option<u64> {
    let (prefix, mut message) = answer.split_first_chunk::<5>()?;
    let [is_compressed, length @ ..] = *prefix;
    if is_compressed != 0 || usize::try_from(u32::from_be_bytes(length)).ok()? != message.len() {
        return None;
    }
    let mut status = 0;
    while !message.is_empty() {
        // A field's number, and in the last three bits what it consists of.
        match varint(&mut message)? {
            0x08 => status = varint(&mut message)?,
            tag => skip(&mut message, tag & 7)?,
        }
    }
    Some(status)
}

/// Leaves out a field of this wire type.
fn skip(message: &mut &[u8], wire_type: u64) -> Option<()> {
    let length = match wire_type {
        0 => return varint(message).map(drop),
        1 => 8,
        2 => usize::try_from(varint(message)?).ok()?,
        5 => 4,
        _ => return None,
    };
    *message = message.get(length..)?;
    Some(())
}

/// A number in groups of seven bits, the lowest first, of which all but the last are marked.
fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = message.split_first()?;
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(message: &[u8]) -> Vec<u8> {
        [&[0], &u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
    }

    #[test]
    fn requests_name_the_service() {
        assert_eq!(message(""), [0, 0, 0, 0, 0]);
        assert_eq!(message("shop.Cart"), [&[0, 0, 0, 0, 11, 0x0a, 9], &b"shop.Cart"[..]].concat());
        let long = "a".repeat(300);
        assert_eq!(message(&long)[..8], [0, 0, 0, 1, 0x2f, 0x0a, 0xac, 0x02]);
        assert_eq!(message(&long).len(), 308);
    }

    #[test]
    fn answers_that_are_one_and_others() {
        for (answer, want) in [
            (framed(&[0x08, 1]), Some(1)),
            (framed(&[]), Some(0)),
            (framed(&[0x08, 2]), Some(2)),
            (framed(&[0x08, 0x81, 0x00]), Some(1)),
            // The last one counts, and fields that nobody knows do not.
            (framed(&[0x08, 2, 0x08, 1]), Some(1)),
            (framed(&[0x12, 3, 8, 2, 7, 0x08, 1, 0x18, 0xff, 0x01]), Some(1)),
            (framed(&[0x21, 1, 2, 3, 4, 5, 6, 7, 8, 0x2d, 1, 2, 3, 4, 0x08, 1]), Some(1)),
            (framed(&[0x08]), None),
            (framed(&[0x08, 0x80]), None),
            (framed(&[[0x08].as_slice(), &[0xff; 10], &[0]].concat()), None),
            (framed(&[0x12, 3, 8]), None),
            (framed(&[0x0b, 0x08, 1]), None),
            (framed(&[0x0f]), None),
            (vec![], None),
            (vec![0, 0, 0, 0], None),
            (vec![1, 0, 0, 0, 2, 0x08, 1], None),
            (vec![0, 0, 0, 0, 3, 0x08, 1], None),
            (vec![0, 0, 0, 0, 1, 0x08, 1], None),
            (vec![0, 0xff, 0xff, 0xff, 0xff, 0x08, 1], None),
            ([framed(&[0x08, 1]), framed(&[0x08, 1])].concat(), None),
        ] {
            assert_eq!(serving_status(&answer), want, "{answer:?}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(message in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = serving_status(&message);
            let _ = serving_status(&framed(&message));
        }
    }
}
