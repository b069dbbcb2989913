"""Hand-written migrations, forward only. They import no slice: a slice's tables may have changed since."""
