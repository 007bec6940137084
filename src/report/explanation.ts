import type { Result } from "../evaluation/result.ts";
import { rowTable } from "./html-table.ts";
import { lossUnit, printable } from "./labels.ts";
import { markup, type Content, type Markup } from "./markup.ts";
import { duration } from "./number.ts";
import { weightsName } from "./runs.ts";

/** What the page's numbers say and what they do not, for a reader who has not read the paper. */
export function meaning(result: Result): Markup {
  const nats = lossUnit(result.loss.kind) === "nats" ? " (nats here)" : "";
  return markup`<section><h2>What this says, and what it does not</h2>
<ul>
<li><b>Small is flat.</b> The relative flatness of a layer with weights W (rows w<sub>s</sub>) is
κ = Σ<sub>s,s′</sub> ⟨w<sub>s</sub>, w<sub>s′</sub>⟩ Tr(H<sub>s,s′</sub>), where H is the Hessian of the mean loss in
these weights: Definition 3 of Petzka et al. (2021). Turning a layer’s features by a random rotation and adding the
fraction δ of the result to them raises the mean loss by δ²κ/(2m) on average, for small δ.</li>
<li><b>κ has the unit of the loss</b>${nats}. There is no threshold below which a network is flat, and values under
different losses cannot be compared.</li>
<li><b>It does not depend on how weights share out their scale.</b> Rescaling whole layers of a ReLU network, or this
layer’s own neurons, without changing the function leaves κ as it is; the trace of the Hessian and the norm of the
weights change. Rescaling single features that enter the layer does change κ (Theorem 4 of the paper gives a
form that it leaves alone).</li>
<li><b>It can be negative</b> for a smooth network that is not at a minimum of its loss.</li>
<li><b>The standard error is that of the data and of random probes.</b> It says nothing about what another training run
would give.</li>
<li><b>It is not a measurement of generalization.</b> The theory that ties κ to the generalization gap needs labels that
are locally constant around the features, and data that represent their distribution. Whether κ and the gap go together
in a set of networks has to be measured, with intervals and with what else differs between them held fixed: on twelve
LeNet5 trained to a loss under 0.1 on 2 000 images of Fashion-MNIST we found a <em>negative</em> rank correlation (−0.61,
95 % interval −0.98 to 0.01), with the training loss at the stop as a confounder.</li>
<li><b>Compare like with like:</b> the same layer of several networks, on the same data, under the same loss. The
features of another layer are other features.</li>
<li><b>The other measures</b> have their equations, sources and what leaves each unchanged in docs/measures.md, which comes with
flatness; <code>flatness measures</code> prints the same.</li>
</ul>
<p class="faint">H. Petzka, M. Kamp, L. Adilova, C. Sminchisescu, M. Boley: Relative Flatness and Generalization.
Advances in Neural Information Processing Systems 34, 2021. arXiv:2001.00939</p>
</section>`;
}

/** How the numbers were got: all that another would need to get them again. */
export function provenance(result: Result): Markup {
  const { model, data, environment, seconds } = result;
  const activation = model.activation === undefined ? "" : `, its ${model.activation} measured on the input`;
  const parts = Object.entries(seconds).filter(([part]) => part !== "total");
  const times = parts.map(([part, spent]) => `${printable(part)} ${duration(spent)}`).join(", ");
  const facts: [string, Content][] = [
    ["model", markup`${printable(model.file)} ${hash(model.sha256)}`],
    ["weights", model.weights && markup`${printable(weightsName(model.weights))} ${hash(model.weights.sha256)}`],
    ["logits", printable(model.output) + activation],
    ["data", markup`${printable(data.source)} ${hash(data.sha256, data.hashed)}`],
    ["split", data.split && printable(data.split)],
    ["samples", data.samples && printable(data.samples)],
    ["preprocessing", data.preprocess && printable(data.preprocess)],
    ["versions", `flatness ${environment.flatness}, ONNX Runtime ${environment.onnxruntime}`],
    [
      "hardware",
      `${printable(environment.provider)}, ${plural(environment.threads, "thread")}, batches of ${environment.batch}`,
    ],
    ["seed", environment.seed],
    ["time", duration(seconds.total) + (times === "" ? "" : `: ${times}`)],
  ];
  const approximate = result.results.some((row) => row.curvature === "gauss-newton");
  return markup`<section><h2>How it was got</h2>
<dl class="how">
${facts.map(([term, value]) => value !== undefined && value !== "" && markup`<dt>${term}</dt><dd>${value}</dd>\n`)}</dl>
${rowTable(result.results)}
${approximate && markup`<p class="faint">gauss-newton: the part of the Hessian that remains when the network above the layer is taken as linear. The two are equal where it is piecewise linear: ReLU, pooling, fixed normalization.</p>`}
</section>`;
}

function hash(sha256: string, of?: string): Markup {
  return markup`<br><span class="hash faint">sha256 ${of === undefined ? "" : `of ${of} `}${sha256}</span>`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
