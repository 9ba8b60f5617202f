import Configuration
import Distillation
import Divergences
import TestSupport
import Testing

/// The `objective` section of a training file.
@Suite("Objectives are read and written") struct ObjectiveConfigurationTests {
  private func read(_ text: String) throws -> ObjectiveConfiguration {
    try ConfigurationFile(text: text, path: "test.yaml").decode(ObjectiveConfiguration.self)
  }

  @Test("sft is no divergence; every other name is a row of the table")
  func names() throws {
    let tuning = try read("{name: sft}")
    #expect(tuning.divergence == nil && tuning.crossEntropyWeight == 1)
    for formula in Divergence.table {
      let objective = try read("{name: \(formula.name)}")
      #expect(objective.divergence == Divergence(formula) && objective.crossEntropyWeight == 0)
    }
    let skewed = try read("{name: srkl, alpha: 0.25, cross_entropy_weight: 0.5}")
    let expected = try Divergence.srkl(alpha: 0.25)
    #expect(skewed.divergence == expected && skewed.crossEntropyWeight == 0.5)
  }

  @Test("alpha and beta are held to their bounds and written as given, whatever reads them")
  func parameters() throws {
    expectDiagnostic(field: "alpha", saying: "skew of 7.0") { _ = try read("{name: sft, alpha: 7}") }
    expectDiagnostic(field: "beta", saying: "beta 1.0") { _ = try read("{name: fkl, beta: 1}") }
    let given = try ConfigurationFile.text(of: read("{name: jsd, alpha: 0.25, beta: 0.75}"))
    for line in ["name: jsd", "alpha: 0.25", "beta: 0.75", "divergence_weight: 1", "cross_entropy_weight: 0"] {
      #expect(given.contains(line), "\(given)")
    }
    var changed = try read("{name: fkl, alpha: 0.25}")
    changed.divergence = try .skl(alpha: 0.75)
    let written = try ConfigurationFile.text(of: changed)
    #expect(written.contains("name: skl") && written.contains("alpha: 0.75"), "\(written)")
  }
}
