import Diagnostics
import Files
import Glibc

/// The local Hugging Face cache: where `hf download` puts models. Decant never fetches anything itself.
package enum HubCache {
  /// The cache's folder: `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`.
  package static func folder(environment: (String) -> String?) -> String? {
    func named(_ variable: String) -> String? { environment(variable).flatMap { $0.isEmpty ? nil : $0 } }
    if let cache = named("HF_HUB_CACHE") { return cache }
    if let home = named("HF_HOME") { return "\(home)/hub" }
    if let cache = named("XDG_CACHE_HOME") { return "\(cache)/huggingface/hub" }
    return named("HOME").map { "\($0)/.cache/huggingface/hub" }
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
    return File.isPlainName(name) && File.isFolder("\(snapshots)/\(name)") ? "\(snapshots)/\(name)" : nil
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
