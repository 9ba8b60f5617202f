// Tests of Fingerprints.
