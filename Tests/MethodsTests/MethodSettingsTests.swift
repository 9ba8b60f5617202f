import Configuration
import Methods
import TestSupport
import Testing

/// The `objective` of a configuration: which method it names, and that method's own keys.
@Suite("Method settings") struct MethodSettingsTests {
  private func choice(_ yaml: String) throws -> MethodChoice {
    try ConfigurationFile(text: yaml, path: "test.yaml").decode(MethodChoice.self)
  }

  @Test(
    "every name of the table is read as itself, and written so that it is read again", arguments: MethodChoice.names)
  func roundTrip(name: String) throws {
    let choice = try choice("name: \(name)")
    #expect(choice.settings.name == name)
    #expect(try self.choice(ConfigurationFile.text(of: choice)) == choice)
  }

  @Test("fine-tuning needs no teacher, a divergence does") func teachers() throws {
    #expect(try !choice("name: sft").settings.needsTeacher && choice("name: srkl").settings.needsTeacher)
  }

  @Test("names are each of one method") func names() {
    #expect(Set(MethodChoice.names).count == MethodChoice.names.count)
  }

  @Test("an unknown name is refused with those there are") func unknown() {
    expectDiagnostic(file: "test.yaml", line: 1, field: "name", saying: "'fk' is none of", "fkl") {
      _ = try self.choice("name: fk")
    }
  }

  @Test("weights decide what is minimised: of a divergence alone, of both, or of the data's tokens alone")
  func weights() throws {
    let both = try choice("{name: skl, alpha: 0.2, cross_entropy_weight: 0.5}")
    #expect(both != (try choice("{name: skl, alpha: 0.2}")))
    #expect(try !choice("{name: skl, divergence_weight: 0, cross_entropy_weight: 1}").settings.needsTeacher)
    for yaml in [
      "{name: fkl, divergence_weight: 0}", "{name: sft, cross_entropy_weight: 0}", "{name: fkl, divergence_weight: -1}",
    ] {
      expectDiagnostic(saying: "the weights must not be negative, nor all zero") { _ = try self.choice(yaml) }
    }
  }

  @Test("keys that earlier versions wrote for fine-tuning are read") func older() throws {
    #expect(
      try choice("{name: sft, alpha: 0.1, beta: 0.5, divergence_weight: 1, cross_entropy_weight: 1}")
        == choice("name: sft"))
  }
}
