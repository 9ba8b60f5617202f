// Tests of Divergences.
