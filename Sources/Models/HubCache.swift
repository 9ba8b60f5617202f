import Diagnostics
import Files
import Glibc

/// The local Hugging Face cache: where `hf download` puts models. Decant never fetches anything itself.
package enum HubCache {
  /// The cache's folder: `HF_HUB_CACHE`, else the older `HUGGINGFACE_HUB_CACHE`, else `HF_HOME/hub`, else
  /// `XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`; `~` and `$NAME` within them stand for what they
  /// do in a shell (constants.py of huggingface_hub).
  package static func folder(environment: (String) -> String?) -> String? {
    func named(_ variable: String) -> String? { environment(variable).flatMap { $0.isEmpty ? nil : $0 } }
    func expanded(_ path: String) -> String { expand(path, environment) }
    if let cache = named("HF_HUB_CACHE") ?? named("HUGGINGFACE_HUB_CACHE") { return expanded(cache) }
    if let home = named("HF_HOME") { return "\(expanded(home))/hub" }
    if let cache = named("XDG_CACHE_HOME") { return "\(expanded(cache))/huggingface/hub" }
    return home(of: nil, environment).map { "\($0)/.cache/huggingface/hub" }
  }

  /// A path with its leading `~` or `~user` and its `$NAME` and `${NAME}` replaced; what is not known stays as it is.
  private static func expand(_ path: String, _ environment: (String) -> String?) -> String {
    var path = path
    if path.hasPrefix("~") {
      let user = path.dropFirst().prefix { $0 != "/" }
      if let home = home(of: user.isEmpty ? nil : String(user), environment) {
        path = home + path.dropFirst(1 + user.count)
      }
    }
    var result = ""
    var rest = path[...]
    while let dollar = rest.firstIndex(of: "$") {
      result += rest[..<dollar]
      rest = rest[dollar...].dropFirst()
      let isBraced = rest.first == "{"
      let name = (isBraced ? rest.dropFirst() : rest).prefix {
        isBraced ? $0 != "}" : $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_")
      }
      let isClosed = !isBraced || name.endIndex < rest.endIndex
      if !name.isEmpty, isClosed, let value = environment(String(name)) {
        result += value
        rest = rest[name.endIndex...].dropFirst(isBraced ? 1 : 0)
      } else {
        result += "$"
      }
    }
    return result + rest
  }

  /// The home of a user; of the one at hand, as `HOME` has it, else as the system does.
  private static func home(of user: String?, _ environment: (String) -> String?) -> String? {
    if user == nil, let home = environment("HOME"), !home.isEmpty { return home }
    var entry = unsafe passwd()
    var found: UnsafeMutablePointer<passwd>? = nil
    var buffer = [CChar](repeating: 0, count: 1 << 14)
    let size = buffer.count
    if let user {
      _ = unsafe getpwnam_r(user, &entry, &buffer, size, &found)
    } else {
      _ = unsafe getpwuid_r(getuid(), &entry, &buffer, size, &found)
    }
    guard unsafe found != nil, let home = unsafe entry.pw_dir else { return nil }
    return unsafe String(cString: home)
  }

  /// The folder of this process's environment.
  static var folder: String? {
    folder { variable in
      guard let value = unsafe getenv(variable) else { return nil }
      return unsafe String(cString: value)
    }
  }

  /// The model folder that `name`, a folder or a hub id such as `gpt2` or `org/model`, stands for.
  ///
  /// - Throws: a `Diagnostic` with the download command where there is neither a folder nor a cached snapshot.
  package static func resolve(_ name: String, cache: String?) throws -> String {
    if File.isFolder(name) { return name }
    let command = "hf download \(name)"
    guard isIdentifier(name) else {
      throw Diagnostic.input(
        "there is no such model folder", file: name,
        remedy: "name a folder with config.json and model.safetensors, or a model of the local Hugging Face cache")
    }
    guard let cache, File.isFolder(modelFolder(name, in: cache)) else {
      throw Diagnostic.input(
        "is neither a folder nor a model of the local Hugging Face cache", file: name,
        remedy: "fetch it with `\(command)` (older: `huggingface-cli download \(name)`), or name a folder")
    }
    let folder = modelFolder(name, in: cache)
    guard let snapshot = try currentSnapshot(of: folder) else {
      throw Diagnostic.input(
        "the cached model has no snapshot of its main revision", file: folder, remedy: "fetch it with `\(command)`")
    }
    return snapshot
  }

  private static func modelFolder(_ name: String, in cache: String) -> String {
    "\(cache)/models--\(name.split(separator: "/").joined(separator: "--"))"
  }

  /// The snapshot `refs/main` names; without that file, the only one there is.
  private static func currentSnapshot(of folder: String) throws -> String? {
    let snapshots = "\(folder)/snapshots"
    guard File.isFolder(snapshots) else { return nil }
    guard File.exists("\(folder)/refs/main") else {
      let names = try File.list(snapshots)
      return names.count == 1 ? "\(snapshots)/\(names[0])" : nil
    }
    let revision = String(decoding: try File.read("\(folder)/refs/main"), as: UTF8.self)
    let name = revision.filter { !$0.isWhitespace }
    guard File.isPlainName(name), File.isFolder("\(snapshots)/\(name)") else { return nil }
    return "\(snapshots)/\(name)"
  }

  /// True for what may be a hub id: one or two parts of letters, digits, `-`, `_` and `.`.
  private static func isIdentifier(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return (1...2).contains(parts.count)
      && parts.allSatisfy { part in
        !part.isEmpty && part.first != "."
          && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
      }
  }
}
