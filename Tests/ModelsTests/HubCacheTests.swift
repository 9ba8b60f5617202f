import Diagnostics
import Files
import Models
import TestSupport
import Testing

@Suite("Models in the cache of the hub")
struct HubCacheTests {
  @Test(
    "the cache's folder follows the environment",
    arguments: [
      (["HF_HUB_CACHE": "/a", "HF_HOME": "/b", "HOME": "/c"], "/a"),
      (["HF_HUB_CACHE": "", "HF_HOME": "/b", "HOME": "/c"], "/b/hub"),
      (["HUGGINGFACE_HUB_CACHE": "/o", "HF_HOME": "/b", "HOME": "/c"], "/o"),
      (["HF_HUB_CACHE": "/a", "HUGGINGFACE_HUB_CACHE": "/o"], "/a"),
      (["HF_HOME": "~/models", "HOME": "/c"], "/c/models/hub"), (["HF_HOME": "~", "HOME": "/c"], "/c/hub"),
      (["HF_HUB_CACHE": "$DATA/hub-${USER}", "DATA": "/d", "USER": "u"], "/d/hub-u"),
      (["HF_HUB_CACHE": "/a/$NONE/${NONE}/${x/$"], "/a/$NONE/${NONE}/${x/$"),
      (["HF_HUB_CACHE": "~no-such-user/x", "HOME": "/c"], "~no-such-user/x"),
      (["HF_HUB_CACHE": "relative/~"], "relative/~"),
      (["XDG_CACHE_HOME": "~/x", "HOME": "/c"], "/c/x/huggingface/hub"),
      (["XDG_CACHE_HOME": "/x", "HOME": "/c"], "/x/huggingface/hub"),
      (["HOME": "/c"], "/c/.cache/huggingface/hub"),
    ])
  func folder(_ environment: [String: String], _ expected: String) {
    #expect(HubCache.folder { environment[$0] } == expected)
  }

  @Test("a cached id is the snapshot its main revision names")
  func snapshot() throws {
    let cache = try TemporaryFolder()
    let model = cache.file("models--some-org--tiny.model")
    try File.makeFolder("\(model)/snapshots/abc")
    #expect(try HubCache.resolve("some-org/tiny.model", cache: cache.path) == "\(model)/snapshots/abc")
    try File.makeFolder("\(model)/snapshots/def")
    expectDiagnostic(saying: "no snapshot", "hf download some-org/tiny.model") {
      _ = try HubCache.resolve("some-org/tiny.model", cache: cache.path)
    }
    try File.makeFolder("\(model)/refs")
    try File.write(Array("def\n".utf8), to: "\(model)/refs/main")
    #expect(try HubCache.resolve("some-org/tiny.model", cache: cache.path) == "\(model)/snapshots/def")
  }

  @Test("a revision that leads out of the cache is none", arguments: ["..", "../../other", "/etc", "a/b", ""])
  func strayRevision(_ revision: String) throws {
    let cache = try TemporaryFolder()
    let model = cache.file("models--tiny")
    for folder in ["snapshots/abc", "snapshots/def", "refs", "other"] { try File.makeFolder("\(model)/\(folder)") }
    try File.write(Array(revision.utf8), to: "\(model)/refs/main")
    expectDiagnostic(file: model, saying: "no snapshot") { _ = try HubCache.resolve("tiny", cache: cache.path) }
  }

  @Test("a folder is itself, whatever the cache holds")
  func plainFolder() throws {
    let folder = try TemporaryFolder()
    #expect(try HubCache.resolve(folder.path, cache: nil) == folder.path)
  }

  @Test("an id that is not cached names the command that fetches it", arguments: ["gpt2", "org/model-1.0"])
  func missing(_ name: String) throws {
    let cache = try TemporaryFolder()
    expectDiagnostic(file: name, saying: "hf download \(name)") { _ = try HubCache.resolve(name, cache: cache.path) }
  }

  @Test("a path that is no id names no command", arguments: ["/no/such/folder", "./x", "a/b/c", "../model", ""])
  func missingPath(_ name: String) {
    let diagnostic = expectDiagnostic(file: name, saying: "no such model folder") {
      _ = try HubCache.resolve(name, cache: "/nowhere")
    }
    #expect(diagnostic?.description.contains("hf download") == false)
  }
}
