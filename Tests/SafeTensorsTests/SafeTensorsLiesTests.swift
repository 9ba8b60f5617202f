import Diagnostics
import Files
import Glibc
import SafeTensors
import TestSupport
import Testing

@Suite("SafeTensors: headers that lie")
struct SafeTensorsLiesTests {
  /// A file of a header, its length (true unless given) and some zero bytes of data.
  static func bytes(_ header: String, length: UInt64? = nil, data: Int) -> [UInt8] {
    let length = length ?? UInt64(header.utf8.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8)
      + [UInt8](repeating: 0, count: data)
  }

  @Test(
    "each lie is refused with its reason",
    arguments: [
      (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 7, "holds only 7 bytes"),
      (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 9, "1 bytes after the last tensor"),
      (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8, "takes 12 bytes"),
      (#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, 8, "at least 0"),
      (#"{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}"#, 8, "must be an integer"),
      (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}"#, 8, "too large"),
      (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4,0],"data_offsets":[0,0]}}"#, 0, "too large"),
      (#"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}"#, 8, "must be an integer"),
      (#"{"a":{"dtype":"Q4_0","shape":[2],"data_offsets":[0,8]}}"#, 8, "is Q4_0, which is none of BOOL"),
      (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8, "a begin and an end"),
      (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}"#, 8, "a begin and an end"),
      (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, 8, "at least 0"),
      (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775807]}}"#, 8, "holds only 8 bytes"),
      (#"{"a":{"dtype":"F32","shape":[2]}}"#, 8, "data_offsets: is missing"),
      (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "leaves a hole"),
      (
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        8, "overlaps"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#,
        3, "leaves a hole"
      ),
      (
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
        2, "comes twice"
      ),
      (#"{"__metadata__":{"format":1}}"#, 0, "__metadata__.format: is an integer"),
      (#"{"a":[]}"#, 0, "a: is an array"), ("[]", 0, "no JSON object"), ("", 0, "no JSON object"),
      (" {}", 0, "no JSON object"), (#"{"a":}"#, 0, "is not valid JSON"), ("{}x", 0, "is not valid JSON"),
    ])
  func lie(header: String, data: Int, saying: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(Self.bytes(header, data: data), to: "x.safetensors")
    expectDiagnostic(file: path, saying: saying) { _ = try SafeTensorsFile(path: path) }
  }

  @Test(
    "a header's length beyond the file or beyond reason is refused",
    arguments: [(3, "has only 2"), (99_999_999, "has only 2"), (100_000_001, "more than"), (.max, "more than")]
      as [(UInt64, String)])
  func length(_ length: UInt64, saying: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(Self.bytes("{}", length: length, data: 0), to: "x.safetensors")
    expectDiagnostic(file: path, saying: saying) { _ = try SafeTensorsFile(path: path) }
  }

  @Test("a file cut at any byte is refused")
  func truncated() throws {
    let folder = try TemporaryFolder()
    let whole = try File.read("\(goldenFolder)/mixed.safetensors")
    let path = try folder.write(whole, to: "x.safetensors")
    for count in (0..<whole.count).reversed() {
      #expect(unsafe truncate(path, count) == 0)
      expectDiagnostic(file: path) { _ = try SafeTensorsFile(path: path) }
    }
  }

  @Test("damaged files give readable tensors or a diagnostic")
  func fuzz() throws {
    let folder = try TemporaryFolder()
    let whole = try File.read("\(goldenFolder)/mixed.safetensors")
    let path = try folder.write(whole, to: "x.safetensors")
    let header = Array(whole[..<700])
    var opened = 0
    for damaged in Mutations(of: header, count: 1500, dictionary: ["[0,8]", "-1", "F16", "99999999999", "\"shape\":"]) {
      overwrite(path, damaged + whole[700...])
      do {
        let file = try SafeTensorsFile(path: path)
        opened += 1
        for (name, entry) in file.tensors where entry.type == .float32 { _ = try file.floats(name) }
      } catch let diagnostic as Diagnostic {
        if diagnostic.file != path { Issue.record("\(diagnostic)") }
      }
    }
    #expect(opened < 1500)
  }

  /// Replaces a file's bytes in place, without waiting for the disk as `File.write` is careful to do.
  private func overwrite(_ path: String, _ bytes: [UInt8]) {
    let file = unsafe fopen(path, "r+")
    let count = unsafe fwrite(bytes, 1, bytes.count, file)
    #expect(unsafe fclose(file) == 0 && count == bytes.count && truncate(path, count) == 0)
  }
}
