import Diagnostics
import Files
import Glibc

/// The files of a data set: one path or pattern, or a list of them.
///
/// A pattern is one of glob(7): `*`, `?` and `[...]` within the parts of a path, none of which matches a leading period.
/// What exists under such a name is taken for itself, not for a pattern.
public struct DataFiles: Sendable, Equatable {
  /// Paths and patterns, as written.
  public var names: [String]

  /// - Parameter names: Paths and patterns, at least one.
  public init(_ names: [String]) { self.names = names }

  /// One path or pattern.
  public init(_ name: String) { self.init([name]) }

  /// The files, in the order of the names; those of a pattern sorted by the bytes of their paths.
  ///
  /// - Throws: a `Diagnostic` of category `input` for a pattern that matches no file, and for a file that comes twice.
  public func paths() throws -> [String] {
    var paths: [String] = []
    var seen: [FileIdentity.Place: (path: String, name: String)] = [:]
    for name in names {
      for path in try Self.expand(name) {
        if let place = FileIdentity(at: path)?.place, let before = seen.updateValue((path, name), forKey: place) {
          let way = before.name == name ? "" : ", by '\(before.name)' and by '\(name)'"
          throw Diagnostic.input(
            before.path == path ? "is named twice\(way)" : "is the same file as \(before.path)\(way)", file: path,
            remedy: "name it once; to learn from it more often, give it a weight")
        }
        paths.append(path)
      }
    }
    guard !paths.isEmpty else { throw Diagnostic.input("no file is named", remedy: "name at least one") }
    return paths
  }

  private static func expand(_ name: String) throws -> [String] {
    guard name.utf8.contains(where: { "*?[".utf8.contains($0) }), !File.exists(name) else { return [name] }
    var found = unsafe glob_t()
    defer { unsafe globfree(&found) }
    let code = unsafe glob(name, GLOB_NOSORT | GLOB_MARK, nil, &found)
    guard code == 0 || code == GLOB_NOMATCH else {
      throw Diagnostic.failure(
        "the pattern cannot be looked for: there is no memory for what it matches", file: name,
        remedy: "use a pattern that matches fewer files")
    }
    var paths: [String] = []
    let count = unsafe code == 0 ? Int(found.gl_pathc) : 0
    for index in 0..<count {
      guard let path = unsafe found.gl_pathv[index].flatMap({ unsafe String(validatingCString: $0) }) else {
        throw Diagnostic.input(
          "matches a name that is not UTF-8", file: name, remedy: "rename that file, or use another pattern")
      }
      // Folders are marked by a slash, and hold no rows themselves.
      if path.utf8.last != UInt8(ascii: "/") { paths.append(path) }
    }
    guard !paths.isEmpty else {
      throw Diagnostic.input(
        "is a pattern that matches \(code == 0 ? "folders only" : "no file")", file: name,
        remedy: "check the path; a pattern of another folder's files is FOLDER/*.jsonl")
    }
    return paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }
}

extension DataFiles: ExpressibleByStringLiteral {
  /// One path or pattern.
  public init(stringLiteral name: String) { self.init(name) }
}

extension DataFiles: Codable {
  /// Reads a text or a list of texts.
  public init(from decoder: any Decoder) throws {
    if let name = try? decoder.singleValueContainer().decode(String.self) {
      self.init(name)
    } else {
      var list = try decoder.unkeyedContainer()
      var names: [String] = []
      while !list.isAtEnd { names.append(try list.decode(String.self)) }
      guard !names.isEmpty else { throw Diagnostic.input("is an empty list", remedy: "name at least one file") }
      self.init(names)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if names.count == 1 { try container.encode(names[0]) } else { try container.encode(names) }
  }
}
