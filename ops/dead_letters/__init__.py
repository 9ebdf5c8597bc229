"""Dead letters looked after by people: listed, shown, replayed through the stream's own rules, discarded with a reason."""
