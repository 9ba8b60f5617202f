import Files
import JSON
import Models
import RandomStreams
import TestSupport
import Testing

@Suite("The table of model families")
struct ModelFamilyTests {
  @Test("a fresh model of each is saved with the architecture that transformers gave it", arguments: ModelFamily.all)
  func architecture(_ family: ModelFamily) throws {
    let golden = try GoldenCase.all.filter { try $0.configuration()["model_type"] == .string(family.name) }
    #expect(!golden.isEmpty, "\(family) has no golden model")
    for golden in golden {
      let folder = try TemporaryFolder()
      var raw = try golden.configuration()
      let architectures = try #require(raw["architectures"])
      raw["architectures"] = nil
      var stream = RandomStream(seed: 1, name: "initialisation")
      let model = try ModelStore.make(raw, stream: &stream, trainable: false)
      #expect(model.configuration.family == family)
      try ModelStore.save(model, to: folder.path)
      #expect(try JSONValue.parse(File.read(folder.file("config.json")))["architectures"] == architectures)
    }
  }

  @Test("docs/models.md names every family and every key that is read", arguments: GoldenCase.all)
  func documented(_ golden: GoldenCase) throws {
    let text = String(decoding: try File.read("\(SharedData.packageRoot)/docs/models.md"), as: UTF8.self)
    let configuration = try golden.configuration()
    #expect(text.contains("`\(configuration["model_type"]?.stringValue ?? "")`"))
    for key in try ModelFamily.keysRead(of: JSONField(.object(configuration))) {
      #expect(text.contains("`\(key)`"), "\(golden.name) reads \(key)")
    }
  }

  @Test("no two have one name")
  func names() {
    #expect(Set(ModelFamily.all.map(\.name)).count == ModelFamily.all.count)
  }
}
