/** A file of a known set, as its publisher has it. */
export interface KnownFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A data set that `flatness data fetch` knows by name. */
export interface KnownSet {
  readonly name: string;
  readonly description: string;
  /** Where its files lie. */
  readonly url: string;
  readonly files: readonly KnownFile[];
  /** What is opened: the folder of the files, or the one file. */
  readonly opened: "folder" | "file";
}

function idxFiles(...files: readonly [name: string, bytes: number, sha256: string][]): KnownFile[] {
  return files.map(([name, bytes, sha256]) => ({ name: `${name}-ubyte.gz`, bytes, sha256 }));
}

/**
 * The sets by name. MNIST lies where its first author's page no longer serves it; sizes and checksums are those of the
 * files that the publishers' MD5 sums name.
 */
export const knownSets: readonly KnownSet[] = [
  {
    name: "cifar10",
    description: "60 000 colour photographs of 32×32 pixels in 10 classes (Krizhevsky 2009)",
    url: "https://www.cs.toronto.edu/~kriz/",
    opened: "file",
    files: [
      {
        name: "cifar-10-binary.tar.gz",
        bytes: 170052171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
      },
    ],
  },
  {
    name: "mnist",
    description: "70 000 handwritten digits of 28×28 pixels (LeCun, Cortes, Burges)",
    url: "https://ossci-datasets.s3.amazonaws.com/mnist/",
    opened: "folder",
    files: idxFiles(
      ["train-images-idx3", 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"],
      ["train-labels-idx1", 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"],
      ["t10k-images-idx3", 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"],
      ["t10k-labels-idx1", 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"],
    ),
  },
  {
    name: "fashion-mnist",
    description: "70 000 articles of clothing of 28×28 pixels in 10 classes (Xiao, Rasul, Vollgraf 2017)",
    url: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    opened: "folder",
    files: idxFiles(
      ["train-images-idx3", 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"],
      ["train-labels-idx1", 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"],
      ["t10k-images-idx3", 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"],
      ["t10k-labels-idx1", 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"],
    ),
  },
];
