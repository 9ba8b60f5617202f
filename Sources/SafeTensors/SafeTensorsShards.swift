import Files
import JSON

/// How the tensors of a model are cut into files: the rule and the names of huggingface_hub
/// (`split_torch_state_dict_into_shards`), which transformers saves by.
package struct SafeTensorsShards: Sendable, Equatable {
  package static let single = "model.safetensors"
  package static let index = "model.safetensors.index.json"

  /// The files in their order, each with the numbers of its tensors.
  package let files: [(name: String, tensors: [Int])]

  /// Tensors fill a file in their order until the next one would take it beyond the limit; one that is larger than the
  /// limit is a file of its own, ahead of the one that is being filled.
  ///
  /// - Parameters:
  ///   - sizes: Bytes of each tensor.
  ///   - limit: Most bytes of tensors in a file; nil for one file.
  package init(sizes: [Int], limit: Int?) {
    let limit = limit ?? .max
    var shards: [[Int]] = []
    var open: [Int] = []
    var filled = 0
    for (number, size) in sizes.enumerated() {
      if size > limit {
        shards.append([number])
        continue
      }
      if size > limit - filled {
        shards.append(open)
        (open, filled) = ([], 0)
      }
      open.append(number)
      filled += size
    }
    if !open.isEmpty || shards.isEmpty { shards.append(open) }
    let count = shards.count
    files = shards.enumerated().map { number, tensors in
      (count == 1 ? Self.single : "model-\(Self.digits(number + 1))-of-\(Self.digits(count)).safetensors", tensors)
    }
  }

  package static func == (a: SafeTensorsShards, b: SafeTensorsShards) -> Bool {
    a.files.elementsEqual(b.files, by: ==)
  }

  /// At least five digits.
  private static func digits(_ number: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, 5 - text.count)) + text
  }

  /// True for what a save leaves: the single file, a shard, or their index. A reader that finds several of them takes
  /// only some.
  package static func isWeights(_ name: String) -> Bool {
    if name == single || name == index { return true }
    guard name.hasPrefix("model-"), name.hasSuffix(".safetensors") else { return false }
    let parts = name.dropFirst("model-".count).dropLast(".safetensors".count).split(separator: "-")
    func isNumber(_ text: Substring) -> Bool { text.utf8.count >= 5 && text.utf8.allSatisfy { (48...57).contains($0) } }
    return parts.count == 3 && isNumber(parts[0]) && parts[1] == "of" && isNumber(parts[2])
  }

  /// Writes the tensors into a folder, one file after the other, and after them the index where there is more than one.
  ///
  /// - Parameters:
  ///   - tensors: Those that the cut was made for.
  ///   - onPiece: As for ``SafeTensorsWriter/write(to:_:metadata:onPiece:)``.
  package func write(
    _ tensors: [WritableTensor], to folder: String, onPiece: (_ bytes: Int) throws -> Void
  ) throws {
    for file in files {
      try SafeTensorsWriter.write(to: "\(folder)/\(file.name)", file.tensors.map { tensors[$0] }, onPiece: onPiece)
    }
    guard files.count > 1 else { return }
    let places = files.flatMap { file in file.tensors.map { (name: tensors[$0].name, file: file.name) } }
      .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    let content: JSONValue = [
      "metadata": [
        "total_parameters": JSONValue(tensors.reduce(0) { $0 + $1.count }),
        "total_size": JSONValue(tensors.reduce(0) { $0 + $1.byteCount }),
      ],
      "weight_map": .object(JSONObject(places.map { ($0.name, .string($0.file)) })),
    ]
    try File.write(content.serialized(pretty: true) + [UInt8(ascii: "\n")], to: "\(folder)/\(Self.index)")
  }
}
