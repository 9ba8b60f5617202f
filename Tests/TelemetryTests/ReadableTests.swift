import Telemetry
import Testing

@Suite("Readable numbers")
struct ReadableTests {
  @Test(
    "durations",
    arguments: [
      (0, "0.0s"), (0.44, "0.4s"), (9.96, "10s"), (59.6, "1m 00s"), (125, "2m 05s"), (3723, "1h 02m 03s"),
      (183_845, "2d 03h 04m"), (-1, "?"), (.nan, "?"), (.infinity, "?"),
    ])
  func durations(seconds: Double, text: String) { #expect(Readable.duration(seconds) == text) }

  @Test(
    "counts",
    arguments: [
      (0, "0"), (7, "7"), (4.25, "4.3"), (0.25, "0.25"), (0.0421, "0.042"), (12.3, "12"), (999, "999"), (999.6, "1000"),
      (1000, "1.0K"), (1234, "1.2K"), (999_499, "999K"), (999_600, "1.0M"), (1_234_567, "1.2M"), (123_456_789, "123M"),
      (4.5e12, "4.5T"), (4.5e16, "45000T"), (-1500, "-1.5K"), (.nan, "?"),
    ])
  func counts(value: Double, text: String) { #expect(Readable.count(value) == text) }

  @Test("mebibytes", arguments: [(0, "0"), (1 << 19, "1"), (1020 << 20, "1,020"), (3 << 18, "1")])
  func mebibytes(value: Int, text: String) { #expect(Readable.mebibytes(value) == text) }

  @Test(
    "bytes",
    arguments: [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (36_994_500_000, "34.5 GiB"), (-2048, "-2.0 KiB")])
  func bytes(value: Int, text: String) { #expect(Readable.bytes(value) == text) }

  @Test(
    "whole numbers",
    arguments: [
      (0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567"), (.min, "-9,223,372,036,854,775,808"),
    ])
  func grouped(value: Int, text: String) { #expect(Readable.grouped(value) == text) }

  @Test(
    "decimals",
    arguments: [
      (1.005, 1, "1.0"), (0.05, 1, "0.1"), (-0.04, 1, "0.0"), (-1.25, 2, "-1.25"), (12, 0, "12"), (1e300, 2, "?"),
    ])
  func decimals(value: Double, places: Int, text: String) { #expect(Readable.decimals(value, places) == text) }
}
