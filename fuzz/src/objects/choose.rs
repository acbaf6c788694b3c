//! What is chosen by bytes: one of a few texts that collide, or any text.

use arbitrary::{Result, Unstructured};

/// The longest text that is not of a list, in bytes.
const LONGEST: usize = 24;

pub(super) fn choose<T: Copy>(data: &mut Unstructured<'_>, choices: &[T]) -> Result<T> {
    Ok(choices[data.int_in_range(0..=choices.len() as u8 - 1)? as usize])
}

/// One of the texts, or any text: the last choice.
pub(super) fn text(data: &mut Unstructured<'_>, choices: &[&str]) -> Result<String> {
    let number = data.int_in_range(0..=choices.len() as u8)? as usize;
    match choices.get(number) {
        Some(text) => Ok((*text).into()),
        None => any_text(data),
    }
}

pub(super) fn any_text(data: &mut Unstructured<'_>) -> Result<String> {
    let len = data.int_in_range(0..=LONGEST)?.min(data.len());
    Ok(String::from_utf8_lossy(data.bytes(len)?).into_owned())
}

/// As often there as not.
pub(super) fn option<'a, T>(
    data: &mut Unstructured<'a>,
    make: impl FnOnce(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Option<T>> {
    if choose(data, &[false, true])? { make(data).map(Some) } else { Ok(None) }
}

/// Not there once in eight times.
pub(super) fn mostly<'a, T>(
    data: &mut Unstructured<'a>,
    make: impl FnOnce(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Option<T>> {
    if data.int_in_range(0..=7u8)? == 7 { Ok(None) } else { make(data).map(Some) }
}

pub(super) fn list<'a, T>(
    data: &mut Unstructured<'a>,
    most: u8,
    mut make: impl FnMut(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = data.int_in_range(0..=most)?;
    (0..count).map(|_| make(data)).collect()
}
