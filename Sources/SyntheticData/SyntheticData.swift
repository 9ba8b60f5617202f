// SyntheticData
