import Files
import Fingerprints
import JSON
import Samples
import TestSupport

/// A toy tokenizer: a token a character, save for "ab", which merges to one.
func toyEncoder(prefix: [Int32]) -> TextEncoder {
  TextEncoder(prefix: prefix, fingerprint: Fingerprint(of: "toy")) { text in
    var ids: [Int32] = []
    for scalar in text.unicodeScalars {
      if scalar == "b", ids.last == 97 { ids[ids.count - 1] = 1000 } else { ids.append(Int32(scalar.value)) }
    }
    return ids
  }
}

func golden(_ name: String) throws -> [JSONField] {
  let path = "\(SharedData.packageRoot)/Tests/SamplesTests/Golden/\(name)"
  return try JSONField(JSONValue.parse(File.read(path), file: path), file: path).elements()
}
