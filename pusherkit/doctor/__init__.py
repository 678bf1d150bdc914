"""The doctor: which mistake is behind a refusal, with proof."""
