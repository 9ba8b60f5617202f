import Configuration
import Diagnostics
import Divergences

/// Divergences as configurations name them: `name` among other keys of a section, or a key of its own.
extension Divergence {
  /// The divergence that `name` names among some keys, with its parameters by theirs.
  init(from keys: KeyedDecodingContainer<EntryName>) throws {
    do {
      let name: String = try keys.decode(.name)
      let taken = Divergence.table.first { $0.name == name }?.parameters ?? []
      let parameters = try DivergenceParameters(
        taken.map { ($0, try keys.decode(EntryName(stringValue: $0.name), default: $0.standard)) })
      self = try Divergence(named: name, parameters)
    } catch let fault as Diagnostic where fault.file == nil {
      guard let field = fault.field else { throw fault }
      throw keys.fault(EntryName(stringValue: field), fault.message, remedy: fault.remedy)
    }
  }

  func encodeParameters(to keys: inout KeyedEncodingContainer<EntryName>) throws {
    for parameter in taken { try keys.encode(parameters[parameter], forKey: EntryName(stringValue: parameter.name)) }
  }
}

extension KeyedDecodingContainer {
  /// What a key names: a divergence by its name, or `{name, ...}` with its parameters.
  ///
  /// - Parameter standard: Where the key is absent.
  func divergence(_ key: Key, default standard: Divergence) throws -> Divergence {
    guard contains(key) else { return standard }
    guard let name = try? decode(String.self, forKey: key) else {
      return try Divergence(from: nestedContainer(keyedBy: EntryName.self, forKey: key))
    }
    do { return try Divergence(named: name) } catch let refused as Diagnostic {
      throw fault(key, refused.message, remedy: refused.remedy)
    }
  }
}

extension KeyedEncodingContainer {
  /// Writes what ``KeyedDecodingContainer/divergence(_:default:)`` reads.
  mutating func encode(_ divergence: Divergence, forKey key: Key) throws {
    guard !divergence.taken.isEmpty else { return try encode(divergence.name, forKey: key) }
    var own = nestedContainer(keyedBy: EntryName.self, forKey: key)
    try own.encode(divergence.name, forKey: .name)
    try divergence.encodeParameters(to: &own)
  }
}
