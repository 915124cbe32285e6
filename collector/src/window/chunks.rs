//! A list that grows without moving what is in it: of large values, of which there may be very many or few.

/// Values of one piece.
const PIECE: usize = 512;

#[derive(Debug)]
pub(super) struct Chunks<T> {
    /// All full but the last.
    pieces: Vec<Vec<T>>,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<T> Chunks<T> {
    pub(super) fn len(&self) -> usize {
        let full = self.pieces.len().saturating_sub(1);
        full * PIECE + self.pieces.last().map_or(0, Vec::len)
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.pieces.get(at / PIECE)?.get(at % PIECE)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.pieces.get_mut(at / PIECE)?.get_mut(at % PIECE)
    }

    pub(super) fn push(&mut self, value: T) {
        match self.pieces.last_mut().filter(|piece| piece.len() < PIECE) {
            Some(piece) => piece.push(value),
            None => {
                let mut piece = Vec::with_capacity(if self.pieces.is_empty() { 0 } else { PIECE });
                piece.push(value);
                self.pieces.push(piece);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pieces.iter_mut().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_list_over_the_ends_of_its_pieces() {
        let mut chunks = Chunks::default();
        for value in 0..3 * PIECE + 7 {
            assert_eq!(chunks.len(), value);
            chunks.push(value);
        }
        chunks.iter_mut().for_each(|value| *value += 1);
        assert!(chunks.iter().copied().eq(1..3 * PIECE + 8));
        for at in [0, PIECE - 1, PIECE, 3 * PIECE + 6] {
            assert_eq!((chunks.get(at).copied(), chunks.get_mut(at).copied()), (Some(at + 1), Some(at + 1)));
        }
        assert_eq!((chunks.get(3 * PIECE + 7), Chunks::<u8>::default().len()), (None, 0));
    }
}
