import Files
public import Testing

/// Real models, tokenizers and texts that are not part of the project: a folder beside the checkout, or where the
/// environment variable `DECANT_SHARED` points. Tests that need it are skipped where it is absent.
public enum SharedData {
  /// The folder with `data/` in it, nil where there is none.
  public static let root: String? = {
    let named = environment("DECANT_SHARED").flatMap { $0.isEmpty ? nil : $0 }
    let folder = named ?? "\(packageRoot)/../shared"
    return File.isFolder("\(folder)/data") ? folder : nil
  }()

  public static var isPresent: Bool { root != nil }

  /// The path of `name` under the folder `data`, such as `models/stories260K`.
  ///
  /// - Precondition: the shared data is there; guard the test with `.needsSharedData`.
  public static func path(_ name: String) -> String {
    guard let root else { preconditionFailure("\(name) wanted without shared data: the test lacks .needsSharedData") }
    return "\(root)/data/\(name)"
  }

  /// The root of the package's checkout.
  public static let packageRoot: String = {
    let file = #filePath
    return File.folder(of: File.folder(of: File.folder(of: file)))
  }()
}

extension Trait where Self == ConditionTrait {
  /// Runs the test only where the shared data is; the reason names the variable, so that skips can be counted.
  public static var needsSharedData: Self {
    .enabled(if: SharedData.isPresent, "needs DECANT_SHARED: the folder of real models, tokenizers and texts")
  }
}
