// The frame of every page: link state, losses, clock, theme.
