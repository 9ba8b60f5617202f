import Diagnostics
import Files
import JSON
public import LogitCache
import SafeTensors
import Sequences
import TeacherSignal

extension SealedFile {
  /// Writes every sample of a cache, in key order, to a file that appears whole or not at all.
  ///
  /// The cache is read once to measure it and once for each array, so that memory is the same whatever its size.
  ///
  /// - Parameter onSample: Is called now and then; what it throws ends the writing.
  /// - Returns: The number of samples.
  /// - Throws: a `Diagnostic` where a sample is damaged, is of an input other than its own tokens, or the cache changed
  ///   meanwhile.
  @discardableResult
  public static func write(
    _ cache: LogitCache, to path: String, onSample: () throws -> Void = {}
  ) throws -> Int {
    guard !cache.manifest.keysNeedTokens else {
      throw Diagnostic.input(
        "is a cache of version 1, which does not say what a sealed file has to", file: cache.directory,
        remedy: "run decant cache upgrade first")
    }
    try File.requireReplaceable(path)
    let layout = try measure(cache, onSample)
    let tensors = layout.arrays
    let header = SafeTensorsWriter.header(
      of: tensors.map { ($0.name, $0.shape, $0.type) }, metadata: metadata(of: cache.manifest, layout))
    // As the header has them.
    let order = ElementType.allCases
    let sorted = tensors.sorted { a, b in
      a.type == b.type
        ? a.name.utf8.lexicographicallyPrecedes(b.name.utf8)
        : order.firstIndex(of: a.type)! > order.firstIndex(of: b.type)!
    }
    try File.write(to: path) { writer in
      try writer.append(header)
      for array in sorted {
        let start = writer.count
        var pending = SealedBytes()
        if array.begins { pending.advance(0) }
        try cache.forEachSample(in: .keys) { _, sample in
          try onSample()
          array.append(sample, &pending)
          try writer.append(pending.bytes)
          pending.bytes.removeAll(keepingCapacity: true)
        }
        try writer.append(pending.bytes)
        guard writer.count - start == array.shape.reduce(array.type.size, *) else { throw changed(cache) }
      }
    }
    return layout.samples
  }

  private static func changed(_ cache: LogitCache) -> Diagnostic {
    .failure(
      "the cache changed while it was read", file: cache.directory,
      remedy: "let what writes to it end, then export it again")
  }

  private static func measure(_ cache: LogitCache, _ onSample: () throws -> Void) throws -> SealedLayout {
    var layout = SealedLayout()
    try cache.forEachSample(in: .keys) { key, sample in
      try onSample()
      guard sample.input == .tokens else {
        throw Diagnostic.input(
          "sample \(key) is of an input that is not its tokens alone, a mixture or a twin, for which a sealed file has no place",
          file: cache.directory, remedy: "export it as jsonl")
      }
      let shapes = sample.columns.map(SealedLayout.ColumnShape.init).sorted { $0.name < $1.name }
      if layout.samples == 0 { layout.columns = shapes }
      guard shapes == layout.columns else {
        throw Diagnostic.input(
          "the columns of sample \(key) have other widths or types than those before", file: cache.directory,
          remedy: "export it as jsonl")
      }
      layout.samples += 1
      layout.tokens += sample.sequence.count
      layout.asked += sample.sequence.scoredPositions.count
      layout.positions += sample.positions.count
      layout.entries += sample.signal.ids.count
      if sample.positions != sample.sequence.scoredPositions { layout.isSelected = true }
      if !layout.kinds.contains(sample.signal.kind) { layout.kinds.append(sample.signal.kind) }
    }
    guard layout.kinds.count <= 1 || !layout.kinds.contains(.sample) else {
      throw Diagnostic.input(
        "the cache holds sampled signals among others", file: cache.directory, remedy: "export it as jsonl")
    }
    return layout
  }

  private static func metadata(of manifest: CacheManifest, _ layout: SealedLayout) -> [String: String] {
    let columns = layout.columns.map { column in
      JSONValue.object([
        "name": .string(column.name), "extent": .string(column.extent.rawValue), "width": JSONValue(column.width),
        "element": .string(column.element.rawValue),
      ])
    }
    var notes = [
      "format": SealedLayout.format, "alignment": SealedLayout.alignment,
      "kind": (layout.kinds.count == 1 ? layout.kinds[0] : .topK).rawValue, "teacher": "\(manifest.teacher)",
      "teacher_path": manifest.teacherPath, "precision": manifest.precision, "tokenizer": "\(manifest.tokenizer)",
      "kernels": JSONValue.array(manifest.kernels.map { .string($0) }).text(), "codec": manifest.codec.identifier,
      "top_k": "\(manifest.topK)", "vocabulary_size": "\(manifest.vocabularySize)", "selection": manifest.selection,
      "columns": JSONValue.array(columns).text(),
      "column_names": JSONValue.array(manifest.columns.map { .string($0) }).text(),
    ]
    if !manifest.columnDeclarations.isEmpty {
      notes["column_declarations"] = JSONValue.array(manifest.columnDeclarations.map(\.json)).text()
    }
    if let end = manifest.endOfText { notes["end_of_text"] = "\(end)" }
    if let chat = manifest.chat { notes["chat"] = JSONValue.object(chat).text() }
    if let origin = manifest.origin { notes["origin"] = JSONValue.object(origin).text() }
    return notes
  }
}
