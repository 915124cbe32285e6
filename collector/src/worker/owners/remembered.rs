//! A map with a bound.
use std::collections::VecDeque;
use std::hash::Hash;

use hashbrown::HashMap;

/// A map that forgets what came first.
#[derive(Debug)]
pub(super) struct Remembered<K, V> {
    values: HashMap<K, V>,
    in_order: VecDeque<K>,
    most: usize,
    forgotten: bool,
}

/// How many are remembered of what.
pub(super) trait Bounded {
    const MOST: usize;
}

impl<K, V: Bounded> Default for Remembered<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), in_order: VecDeque::new(), most: V::MOST, forgotten: false }
    }
}

impl<K: Copy + Eq + Hash, V> Remembered<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key)
    }

    pub(super) fn get_or_insert(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.get_or_insert_with(key, V::default)
    }

    pub(super) fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        if !self.values.contains_key(&key) {
            self.in_order.push_back(key);
            if self.in_order.len() > self.most
                && let Some(oldest) = self.in_order.pop_front()
            {
                self.values.remove(&oldest);
                self.forgotten = true;
            }
        }
        self.values.entry(key).or_insert_with(value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether there was ever one too many.
    pub(super) fn has_forgotten(&self) -> bool {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Value;

    impl Bounded for Value {
        const MOST: usize = 10;
    }

    #[test]
    fn what_came_first_is_forgotten_first() {
        let mut map = Remembered::<u32, Value>::default();
        for key in 0..15 {
            map.get_or_insert(key);
            map.get_or_insert(key);
        }
        assert_eq!((map.values.len(), map.in_order.len(), map.has_forgotten()), (10, 10, true));
        assert!(map.get(&4).is_none() && map.get(&5).is_some() && !map.is_empty());
    }
}
