// Tests of Samples.
