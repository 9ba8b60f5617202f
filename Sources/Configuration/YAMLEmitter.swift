import CYAML

/// Writes a tree as YAML that reads back as an equal tree, through libyaml's emitter: block style, a mapping's entries
/// indented by 2, a short list of scalars on the line of its key.
@safe struct YAMLEmitter: ~Copyable {
  /// The longest list that stands on the line of its key, in bytes.
  private static let longestLine = 80

  // On the heap, since libyaml keeps pointers to the emitter and to what it writes to.
  private let emitter: UnsafeMutablePointer<yaml_emitter_t>
  private let output: Output

  private final class Output { var bytes: [UInt8] = [] }

  /// The text of a tree; its last line has its end.
  static func text(_ root: ConfigurationNode) -> String {
    let emitter = YAMLEmitter()
    emitter.document(root)
    return String(decoding: emitter.output.bytes, as: UTF8.self)
  }

  private init() {
    unsafe emitter = .allocate(capacity: 1)
    output = Output()
    unsafe check(yaml_emitter_initialize(emitter))
    unsafe yaml_emitter_set_encoding(emitter, YAML_UTF8_ENCODING)
    unsafe yaml_emitter_set_unicode(emitter, 1)
    unsafe yaml_emitter_set_indent(emitter, 2)
    // No line is folded: what stands on one line can be compared and searched by lines.
    unsafe yaml_emitter_set_width(emitter, -1)
    unsafe yaml_emitter_set_output(
      emitter,
      { context, bytes, count in
        let output = unsafe Unmanaged<Output>.fromOpaque(context!).takeUnretainedValue()
        unsafe output.bytes.append(contentsOf: UnsafeBufferPointer(start: bytes, count: count))
        return 1
      }, Unmanaged.passUnretained(output).toOpaque())
  }

  deinit {
    unsafe yaml_emitter_delete(emitter)
    unsafe emitter.deallocate()
  }

  // MARK: Events

  private func document(_ root: ConfigurationNode) {
    unsafe emit { unsafe yaml_stream_start_event_initialize(&$0, YAML_UTF8_ENCODING) }
    unsafe emit { unsafe yaml_document_start_event_initialize(&$0, nil, nil, nil, 1) }
    write(root)
    unsafe emit { unsafe yaml_document_end_event_initialize(&$0, 1) }
    unsafe emit { unsafe yaml_stream_end_event_initialize(&$0) }
  }

  private func write(_ node: ConfigurationNode) {
    switch node.value {
    case .scalar(let text, let isPlain): scalar(node.isNull ? "null" : text, mayBeTyped: isPlain)
    case .sequence(let elements):
      let style = Self.isShort(elements) ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE
      unsafe emit { unsafe yaml_sequence_start_event_initialize(&$0, nil, nil, 1, style) }
      for element in elements { write(element) }
      unsafe emit { unsafe yaml_sequence_end_event_initialize(&$0) }
    case .mapping(let entries):
      unsafe emit { unsafe yaml_mapping_start_event_initialize(&$0, nil, nil, 1, YAML_BLOCK_MAPPING_STYLE) }
      for entry in entries {
        scalar(entry.key, mayBeTyped: false)
        write(entry.value)
      }
      unsafe emit { unsafe yaml_mapping_end_event_initialize(&$0) }
    }
  }

  /// - Parameter mayBeTyped: False where the scalar is a text, so that one which would be read as something else unquoted
  ///   is quoted.
  private func scalar(_ text: String, mayBeTyped: Bool) {
    let isPlain = Self.isWords(text) && (mayBeTyped || !Self.looksTyped(text))
    let style = isPlain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE
    unsafe emit { event in
      // With a zero behind it, since libyaml wants an address for no bytes too.
      unsafe (Array(text.utf8) + [0]).withUnsafeBufferPointer { bytes in
        unsafe yaml_scalar_event_initialize(&event, nil, nil, bytes.baseAddress, Int32(bytes.count - 1), 1, 1, style)
      }
    }
  }

  /// Makes an event and hands it to the emitter, which then owns it.
  ///
  /// What can fail is memory alone: texts are valid UTF-8, events come in an order that a tree has, and the output takes
  /// all that it is given.
  private func emit(_ make: (inout yaml_event_t) -> Int32) {
    var event = unsafe yaml_event_t()
    check(unsafe make(&event))
    unsafe check(yaml_emitter_emit(emitter, &event))
  }

  private func check(_ result: Int32) {
    precondition(result == 1, "libyaml has no memory to write a configuration")
  }

  // MARK: Style

  private static func isShort(_ elements: [ConfigurationNode]) -> Bool {
    var length = 0
    for element in elements {
      guard case .scalar(let text, _) = element.value else { return false }
      length += text.utf8.count + ", ".utf8.count
    }
    return length <= longestLine
  }

  /// Plain words that mean themselves in every context, as most values are; everything else is quoted, as in JSON.
  private static func isWords(_ text: String) -> Bool {
    func isWord(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
      case UInt8(ascii: "0")...UInt8(ascii: "9"): true
      default: "_./+-".utf8.contains(byte)
      }
    }
    guard let first = text.utf8.first, let last = text.utf8.last, isWord(first), isWord(last) else { return false }
    // libyaml's parser takes these for the marks of a list and of a document.
    guard text != "-", !text.hasPrefix("- "), !text.hasPrefix("---"), text != "..." else { return false }
    return text.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: " ") }
  }

  /// Texts that, unquoted, some reader of YAML 1.1 or 1.2 would take for null, a truth value, a number or a date.
  private static func looksTyped(_ text: String) -> Bool {
    let lower = text.lowercased()
    if ["null", "true", "false", "yes", "no", "on", "off", "y", "n"].contains(lower) { return true }
    if [".inf", "+.inf", "-.inf", ".nan"].contains(lower) { return true }
    return text.utf8.first.map { "0123456789+-.".utf8.contains($0) } ?? false
      && text.utf8.contains { (48...57).contains($0) }
  }
}
