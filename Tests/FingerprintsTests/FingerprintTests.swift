import Fingerprints
import Testing

@Suite("Fingerprints") struct FingerprintTests {
  @Test(
    "fingerprints equal xxHash's own XXH3-128",
    arguments: [
      ([UInt8](), "99aa06d3014798d86001c324468d497f"),
      (Array("teacher".utf8), "be38b08cd8d6dc8fc35bbdb0ff8e64a1"),
      ((0..<1024).map { UInt8(truncatingIfNeeded: $0) }, "83885e853bb6640ca870f92984398d22"),
    ]) func reference(bytes: [UInt8], digits: String)
  {
    #expect(Fingerprint(of: bytes).description == digits)
  }

  @Test("description, bytes and parsing agree") func roundTrip() {
    let fingerprint = Fingerprint(high: 0x0123_4567_89ab_cdef, low: 0x10)
    #expect(fingerprint.description == "0123456789abcdef0000000000000010")
    #expect(Fingerprint(fingerprint.description) == fingerprint)
    #expect(fingerprint.bytes.prefix(3) == [0x01, 0x23, 0x45])
    #expect(fingerprint.bytes.last == 0x10)
    for text in ["", "xyz", String(repeating: "g", count: 32)] { #expect(Fingerprint(text) == nil) }
  }
}

extension FingerprintTests {
  @Test("a fingerprint of parts is that of the whole, however it is cut") func stream() {
    let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    for step in [1, 7, 64, 1023, 5000] {
      let stream = FingerprintStream()
      for start in stride(from: 0, to: bytes.count, by: step) {
        stream.append(Array(bytes[start..<min(start + step, bytes.count)]))
      }
      #expect(stream.fingerprint == Fingerprint(of: bytes))
    }
    #expect(FingerprintStream().fingerprint == Fingerprint(of: [UInt8]()))
  }
}
