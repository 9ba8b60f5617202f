public import Fingerprints

extension JSONField {
  /// The content fingerprint that the text of this field writes.
  ///
  /// - Throws: a `Diagnostic` where it is not 32 hexadecimal digits.
  public func fingerprint() throws -> Fingerprint {
    guard let fingerprint = Fingerprint(try string()) else { throw diagnostic("must be 32 hexadecimal digits") }
    return fingerprint
  }
}
