import CYAML
import Diagnostics

/// Reads one YAML 1.1 document into a tree through libyaml's event parser.
///
/// Refused with their line, because a configuration is clearer without: anchors, aliases and merge keys (`<<`), tags,
/// duplicate keys, keys that are no scalars, more than one document, and more than 64 levels.
@safe struct YAMLParser: ~Copyable {
  /// Levels of a configuration.
  static let maximumDepth = 64

  // On the heap, since libyaml keeps a pointer to the parser inside of it.
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let file: String
  /// The line of errors where the text itself is one line of a command.
  private let hasLines: Bool

  /// The tree of a document; an empty one is an empty mapping.
  ///
  /// - Parameter hasLines: False for a text that is no file, such as an override: places then carry no line.
  /// - Throws: a `Diagnostic` of category `input` with the file and line.
  static func parse(_ text: [UInt8], file: String, hasLines: Bool = true) throws -> ConfigurationNode {
    try unsafe text.withUnsafeBufferPointer { bytes in
      let parser = try unsafe YAMLParser(bytes, file: file, hasLines: hasLines)
      return try parser.document(bytes: text)
    }
  }

  private init(_ bytes: UnsafeBufferPointer<UInt8>, file: String, hasLines: Bool) throws {
    unsafe parser = .allocate(capacity: 1)
    self.file = file
    self.hasLines = hasLines
    guard unsafe yaml_parser_initialize(parser) == 1 else {
      unsafe parser.deallocate()
      throw Diagnostic.failure("no memory for reading YAML", file: file)
    }
    unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    unsafe yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
  }

  deinit {
    unsafe yaml_parser_delete(parser)
    unsafe parser.deallocate()
  }

  // MARK: Grammar

  private func document(bytes: [UInt8]) throws -> ConfigurationNode {
    do {
      var event = try next()
      while event.kind == .streamStart || event.kind == .documentStart { event = try next() }
      if event.kind == .streamEnd { return ConfigurationNode(.mapping([]), at: place(event)) }
      let root = try node(event, depth: 0)
      event = try next()
      while event.kind == .documentEnd { event = try next() }
      guard event.kind == .streamEnd else {
        throw refusal("a second document begins here", event, "write one per file")
      }
      return root
    } catch LibraryFault.syntax {
      throw syntaxDiagnostic(bytes)
    }
  }

  private func node(_ event: Event, depth: Int) throws -> ConfigurationNode {
    guard depth < Self.maximumDepth else { throw refusal("is nested deeper than \(Self.maximumDepth) levels", event) }
    switch event.kind {
    case .scalar(let text, let isPlain): return ConfigurationNode(.scalar(text, isPlain: isPlain), at: place(event))
    case .sequenceStart:
      var elements: [ConfigurationNode] = []
      while true {
        let element = try next()
        if element.kind == .sequenceEnd { return ConfigurationNode(.sequence(elements), at: place(event)) }
        elements.append(try node(element, depth: depth + 1))
      }
    case .mappingStart: return try mapping(from: event, depth: depth)
    default: throw refusal("is not a value", event)
    }
  }

  private func mapping(from start: Event, depth: Int) throws -> ConfigurationNode {
    var entries: [ConfigurationNode.Entry] = []
    var places: [String: ConfigurationNode.Place] = [:]
    while true {
      let event = try next()
      if event.kind == .mappingEnd { return ConfigurationNode(.mapping(entries), at: place(start)) }
      guard case .scalar(let key, _) = event.kind else { throw refusal("a key must be a plain word", event) }
      if key == "<<" { throw refusal("merge keys are not supported", event, "write the keys out") }
      if let earlier = places[key] {
        let line = earlier.line.map { " on line \($0)" } ?? ""
        throw refusal("the key '\(key)' was given already\(line)", event, "keep one of the two")
      }
      places[key] = place(event)
      let value = try node(try next(), depth: depth + 1)
      entries.append(.init(key: key, place: place(event), value: value))
    }
  }

  // MARK: Events

  /// An event of libyaml without its pointers.
  private struct Event {
    enum Kind: Equatable {
      case streamStart, streamEnd, documentStart, documentEnd, sequenceStart, sequenceEnd, mappingStart, mappingEnd
      case scalar(String, isPlain: Bool)
    }

    var kind: Kind
    /// Zero-based.
    var line: Int
  }

  private enum LibraryFault: Error { case syntax }

  private func next() throws -> Event {
    var event = unsafe yaml_event_t()
    guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw LibraryFault.syntax }
    defer { unsafe yaml_event_delete(&event) }
    let line = unsafe Int(event.start_mark.line)
    func made(_ kind: Event.Kind) -> Event { Event(kind: kind, line: line) }
    func check(anchor: Bool, tag: Bool) throws {
      if anchor { throw refusal("anchors are not supported", made(.scalar("", isPlain: true)), "write the value out") }
      if tag { throw refusal("tags are not supported", made(.scalar("", isPlain: true)), "leave the tag out") }
    }
    switch unsafe event.type {
    case YAML_STREAM_START_EVENT: return made(.streamStart)
    case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return made(.streamEnd)
    case YAML_DOCUMENT_START_EVENT: return made(.documentStart)
    case YAML_DOCUMENT_END_EVENT: return made(.documentEnd)
    case YAML_SEQUENCE_START_EVENT:
      let start = unsafe event.data.sequence_start
      unsafe try check(anchor: start.anchor != nil, tag: start.tag != nil)
      return made(.sequenceStart)
    case YAML_SEQUENCE_END_EVENT: return made(.sequenceEnd)
    case YAML_MAPPING_START_EVENT:
      let start = unsafe event.data.mapping_start
      unsafe try check(anchor: start.anchor != nil, tag: start.tag != nil)
      return made(.mappingStart)
    case YAML_MAPPING_END_EVENT: return made(.mappingEnd)
    case YAML_SCALAR_EVENT:
      let scalar = unsafe event.data.scalar
      unsafe try check(anchor: scalar.anchor != nil, tag: scalar.tag != nil)
      let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      let text = unsafe String(decoding: bytes, as: UTF8.self)
      return unsafe made(.scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE))
    default: throw refusal("aliases are not supported", made(.streamEnd), "write the value out")
    }
  }

  // MARK: Messages

  private func place(_ event: Event) -> ConfigurationNode.Place {
    .init(file: file, line: hasLines ? event.line + 1 : nil)
  }

  private func refusal(_ message: String, _ event: Event, _ remedy: String? = nil) -> Diagnostic {
    .input(message, file: file, line: place(event).line, remedy: remedy)
  }

  private func syntaxDiagnostic(_ bytes: [UInt8]) -> Diagnostic {
    let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "no more memory"
    if unsafe parser.pointee.error == YAML_MEMORY_ERROR { return .failure(problem, file: file) }
    let line: Int
    if unsafe parser.pointee.error == YAML_READER_ERROR {
      // Bytes that are no text have no mark, only an offset.
      line = unsafe bytes.prefix(Int(parser.pointee.problem_offset)).count { $0 == UInt8(ascii: "\n") } + 1
    } else {
      line = unsafe Int(parser.pointee.problem_mark.line) + 1
    }
    return .input("is not YAML: \(problem)", file: file, line: hasLines ? line : nil)
  }
}
