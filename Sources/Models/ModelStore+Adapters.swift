import Diagnostics
import JSON
public import NN
public import RandomStreams
public import Tensor

/// A model with low-rank adapters.
public struct AdaptedModel {
  /// The model, over the parameters of the one that it adapts.
  public let model: any CausalLanguageModel
  /// The adapters' parameters, which alone train, by the names of their layers: what an optimizer is made for.
  public let adapters: ParameterBuffer
}

extension ModelStore {
  /// A model that adds low-rank adapters to chosen linear layers of another one, in fp32 or bf16: at the start it gives
  /// what that gives, bit for bit.
  ///
  /// - Parameters:
  ///   - model: Lends its parameters, and is of use as before.
  ///   - stream: What the adapters begin with is drawn from it.
  /// - Throws: a `Diagnostic` where the settings choose no layer, or the model has adapters already, or layers that are used twice.
  public static func adapt(
    _ model: any CausalLanguageModel, _ settings: LowRankSettings, stream: inout RandomStream
  ) throws -> AdaptedModel {
    try requireUnadapted(model, to: "be adapted again")
    guard model.sharing == nil else {
      throw Diagnostic.failure(
        "a model whose layers are used twice cannot be adapted: adapt the model that was saved of it")
    }
    let blueprint = try plan(of: model)
    let base = ParameterScope(model.parameters)
    let specifications = ParameterScope.declarations { _ = blueprint.layers(base.adapted(settings, by: $0)) }
    guard !specifications.isEmpty else {
      throw Diagnostic.input("no linear layer of the model is to be adapted", remedy: "name one of its layers")
    }
    let adapters = ParameterBuffer(specifications)
    adapters.initialize(&stream)
    adapters.allocateGradients()
    let layers = blueprint.layers(base.adapted(settings, by: ParameterScope(adapters)))
    let adapted = Decoder(model.configuration, layers, model.parameters, adapters: adapters)
    (adapted.dropout, adapted.precision, adapted.recomputing) = (model.dropout, model.precision, model.recomputing)
    return AdaptedModel(model: adapted, adapters: adapters)
  }

  /// Refuses what would drop a model's adapters without a word.
  ///
  /// - Throws: a `Diagnostic` of category `failure` for a model that has some.
  static func requireUnadapted(_ model: any CausalLanguageModel, to what: String) throws {
    guard model.adapters != nil else { return }
    throw Diagnostic.failure(
      "a model with low-rank adapters cannot \(what): its own parameters are those of the model without them")
  }
}
