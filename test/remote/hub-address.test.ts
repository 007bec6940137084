import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { hubAddress, isHubAddress, parseHubAddress } from "../../src/remote/hub-address.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";

describe("an address of the hub", () => {
  test.each([
    ["hf://o/m/f.onnx", "models", "o/m", "main", "f.onnx", "hf://o/m@main/f.onnx"],
    ["hf://o/m/onnx/f.onnx@v1.0", "models", "o/m", "v1.0", "onnx/f.onnx", "hf://o/m@v1.0/onnx/f.onnx"],
    ["hf://o/m@v1.0/onnx/f.onnx", "models", "o/m", "v1.0", "onnx/f.onnx", "hf://o/m@v1.0/onnx/f.onnx"],
    [`hf://models/o/m/f.onnx@${commit}`, "models", "o/m", commit, "f.onnx", `hf://o/m@${commit}/f.onnx`],
    ["hf://o/m", "models", "o/m", "main", "", "hf://o/m@main"],
    ["hf://datasets/o/d", "datasets", "o/d", "main", "", "hf://datasets/o/d@main"],
    ["hf://datasets/o/d/", "datasets", "o/d", "main", "", "hf://datasets/o/d@main"],
    ["hf://datasets/o/d/en/@v2", "datasets", "o/d", "v2", "en", "hf://datasets/o/d@v2/en"],
    [
      "hf://datasets/o/d@refs/convert/parquet/default",
      "datasets",
      "o/d",
      "refs/convert/parquet",
      "default",
      "hf://datasets/o/d@refs/convert/parquet/default",
    ],
    [
      "hf://datasets/o/d/default@refs/convert/parquet",
      "datasets",
      "o/d",
      "refs/convert/parquet",
      "default",
      "hf://datasets/o/d@refs/convert/parquet/default",
    ],
    ["hf://o/m@my%2Fbranch/f.onnx", "models", "o/m", "my/branch", "f.onnx", "hf://o/m@my%2Fbranch/f.onnx"],
    ["hf://o/m@main/a@b.onnx", "models", "o/m", "main", "a@b.onnx", "hf://o/m@main/a@b.onnx"],
    ["hf://o-1.x/m_2.y/f.onnx", "models", "o-1.x/m_2.y", "main", "f.onnx", "hf://o-1.x/m_2.y@main/f.onnx"],
  ])("%s", (source, kind, repository, revision, path, canonical) => {
    expect(isHubAddress(source)).toBe(true);
    const address = parseHubAddress(source);
    expect(address).toEqual({ kind, repository, revision, path });
    expect(hubAddress(address)).toBe(canonical);
    expect(parseHubAddress(canonical)).toEqual(address);
  });

  test.each([
    ["hf://", "no repository of the form owner/name"],
    ["hf://model", "no repository of the form owner/name"],
    ["hf://datasets/mnist", "no repository of the form owner/name"],
    ["hf://../m/f.onnx", "no repository of the form owner/name"],
    ["hf://o/..", "no repository of the form owner/name"],
    ["hf://spaces/o/s", "neither a model nor a data set"],
    ["hf://o/m/../../f.onnx", "../../f.onnx is no path in a repository"],
    ["hf://o/m/a//f.onnx", "a//f.onnx is no path in a repository"],
    ["hf://o/m/a\\..\\f.onnx", "a\\..\\f.onnx is no path in a repository"],
    ["hf://o/m/f.onnx@", "no revision after @"],
    ["hf://o/m/f.onnx@..", "no revision after @"],
    ["hf://o/m@a%2F..%2Fb/f.onnx", "no revision after @"],
    ["hf://o/m@%ff/f.onnx", "no revision after @"],
  ])("%s is none", (source, what) => {
    expect(() => parseHubAddress(source)).toThrow(UsageError);
    expect(() => parseHubAddress(source)).toThrow(`${source}: ${what}: expected hf://owner/model/file.onnx or`);
  });

  test("a path is none", () => {
    for (const path of ["model.onnx", "example:digits", "/hf://", "hf:/o/m"]) expect(isHubAddress(path)).toBe(false);
  });
});
