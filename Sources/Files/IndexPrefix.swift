extension File {
  /// Names of folders begin so that hold indices of data sets inside another artefact's folder, such as a cache's or a
  /// run's: nothing of the artefact itself, and made again where they are missing.
  package static let indexPrefix = "index-"
}
