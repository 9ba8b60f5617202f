// Tests of SyntheticData.
