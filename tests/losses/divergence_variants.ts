import { apoDown } from "../../losses/apo_down.ts";
import { bcoPair } from "../../losses/bco_pair.ts";
import { calDpo } from "../../losses/cal_dpo.ts";
import { discopop } from "../../losses/discopop.ts";
import { dpo } from "../../losses/dpo.ts";
import { dpop } from "../../losses/dpop.ts";
import { exoPair } from "../../losses/exo_pair.ts";
import { hinge } from "../../losses/hinge.ts";
import { ipo } from "../../losses/ipo.ts";
import { margin } from "../../losses/margin.ts";
import { ncaPair } from "../../losses/nca_pair.ts";
import { robust } from "../../losses/robust.ts";
import { sigmoidNorm } from "../../losses/sigmoid_norm.ts";
import { sppoHard } from "../../losses/sppo_hard.ts";
import type { LossVariant } from "./loss_variants.ts";

const beta = 0.1;

/**
 * Losses of scores under the Jensen–Shannon, α- and forward KL divergences.
 *
 * Numbers: PyTorch 1.13 with autograd in float64 from the formulas as TRL 1 has them (the α-divergence's as
 * e^((α − 1) u) / (α − 1)), to 14 digits.
 */
export const divergenceVariants: Record<string, LossVariant> = {
  "dpo, Jensen–Shannon": {
    loss: dpo({ beta, labelSmoothing: 0.1, divergence: "jensen_shannon" }),
    losses: [0.6144822741429, 0.67673457821021, 1.1805177847998, 0.74006204991402],
    chosen: [-0.0032805744354894, -0.0014420115935556, -0.015515062658628, -0.0072721288104981],
    rejected: [0.008030170733765, 0.0042644951748336, 0.00035652201821262, 4.3579938214198e-05],
  },
  "robust, Jensen–Shannon": {
    loss: robust({ beta, labelSmoothing: 0.2, divergence: "jensen_shannon" }),
    losses: [0.52327372163803, 0.65872024986778, 1.5911803914682, 0.78914972763727],
    chosen: [-0.0073705983474693, -0.0030458562388989, -0.02634758515783, -0.014629898051565],
    rejected: [0.018041707116868, 0.0090075830819041, 0.00060544352557123, 8.7673096803073e-05],
  },
  "ipo of sums, Jensen–Shannon": {
    loss: ipo({ beta, average: "sum", divergence: "jensen_shannon" }),
    losses: [8.3821092119115, 21.015666490839, 209.57858903245, 37.611144618879],
    chosen: [-0.54652546530921, -0.33934525466938, -7.2378729242952, -2.0826310375726],
    rejected: [1.3377818071452, 1.0035537908346, 0.16631973194779, 0.0124806551569],
  },
  "ipo of means, Jensen–Shannon": {
    loss: ipo({ beta, average: "mean", divergence: "jensen_shannon" }),
    losses: [20.720224555142, 23.738863332959, 27.42357169317, 25.495362082835],
    chosen: [-0.12275323155659, -0.36066180900664, -0.065454500830042, -0.074551574022549],
    rejected: [0.42066448960891, 0.53329687192846, 0.0019407546489355, 0.00034252197996743],
  },
  "hinge, Jensen–Shannon": {
    loss: hinge({ beta, divergence: "jensen_shannon" }),
    losses: [0.78951872498876, 0.95842847305592, 1.9476829384656, 1.1132792562844],
    chosen: [-0.0094385167199536, -0.0037011799507922, -0.024998128844312, -0.016979467479385],
    rejected: [0.023103545499469, 0.010945587477855, 0.00057443424775064, 0.0001017534428974],
  },
  "exoPair, Jensen–Shannon": {
    loss: exoPair({ beta, labelSmoothing: 0.1, divergence: "jensen_shannon" }),
    losses: [0.40113921084628, 0.48820939401856, 1.0964487662443, 0.57458561481061],
    chosen: [-0.0046364363310738, -0.0019937534415684, -0.015826666016489, -0.0097763845178517],
    rejected: [0.01134904147639, 0.0058961744616849, 0.00036368237975744, 5.8587278133903e-05],
  },
  "ncaPair, Jensen–Shannon": {
    loss: ncaPair({ beta, divergence: "jensen_shannon" }),
    losses: [1.3382406096344, 1.376156901191, 1.7864317554394, 1.417036273546],
    chosen: [-0.0025273946430486, -0.00094753270246164, -0.014540787219024, -0.0049679681222802],
    rejected: [0.0050352180797541, 0.0026576187029883, 0.00014344164962731, 2.5433173278867e-05],
  },
  "bcoPair, Jensen–Shannon": {
    loss: bcoPair({ beta, divergence: "jensen_shannon" }),
    losses: [1.2896250382906, 1.3659552625027, 1.9689473871143, 1.4445487353602],
    chosen: [-0.0048311020020169, -0.0018654151185718, -0.018026567760787, -0.008971801241315],
    rejected: [0.010070436159508, 0.0053152374059767, 0.00028688329925463, 5.0866346557734e-05],
  },
  "sppoHard, Jensen–Shannon": {
    loss: sppoHard({ beta, divergence: "jensen_shannon" }),
    losses: [35.827293747444, 46.200225299346, 235.02025633532, 62.620417946687],
    chosen: [-1.0333433428299, -0.38197836334391, -7.2494947865638, -2.0840160334702],
    rejected: [1.1187246236601, 0.96847884174093, 0.057176364958256, 0.010167044376851],
  },
  "apoDown, Jensen–Shannon": {
    loss: apoDown({ beta, divergence: "jensen_shannon" }),
    losses: [0.96007048798004, 1.0332473019836, 0.99953378155551, 1.0095483532335],
    chosen: [0.0039124087222658, 0.0052774962934034, -4.7722748219483e-06, 0.0020099409639174],
    rejected: [0.0057123844147902, 0.0027352149552138, 0.00011564167719721, 2.5356927472435e-05],
  },
  "discopop, Jensen–Shannon": {
    loss: discopop({ beta, tau: 0.5, divergence: "jensen_shannon" }),
    losses: [0.72429514502886, 0.82188498823308, 1.4456900222147, 0.91488134285939],
    chosen: [-0.0053117660326173, -0.0021877576513579, -0.01667926298405, -0.010337369027556],
    rejected: [0.013002109532493, 0.0064699077244702, 0.00038327428204522, 6.1949109436551e-05],
  },
  "sigmoidNorm, Jensen–Shannon": {
    loss: sigmoidNorm({ beta: 5, divergence: "jensen_shannon" }),
    losses: [0.10113904593969, 0.42393591668674, 1.4508252188755, 0.82395429851857],
    chosen: [-0.0064851135944065, -0.063944208799314, -0.023923934371233, -0.02071888162036],
    rejected: [0.022223911873058, 0.094551864597303, 0.00070935514384809, 9.5191448984967e-05],
  },
  "dpop, Jensen–Shannon": {
    loss: dpop({ beta, lambda: 0.5, divergence: "jensen_shannon" }),
    losses: [0.59343414664178, 0.6725774255158, 1.6386539341792, 0.77137591885216],
    chosen: [-0.0042244261074848, -0.0018121295886349, -0.030214442499697, -0.015848856312778],
    rejected: [0.010340525283712, 0.0053590539226191, 0.00046285537661304, 5.4705048418502e-05],
  },
  "calDpo, Jensen–Shannon": {
    loss: calDpo({ beta, divergence: "jensen_shannon" }),
    losses: [26.61499559167, 38.631738158466, 296.28940598816, 144.72453846881],
    chosen: [-2.2602530537896, -1.6397137633715, -7.4999621397329, -3.0034248625114],
    rejected: [1.2750973645292, 2.6685133622931, 4.3807439024576, 5.2507696161219],
  },
  "margin, Jensen–Shannon": {
    loss: margin({ beta, divergence: "jensen_shannon" }),
    losses: [0.84834778914267, 0.55795073091368, 2.9988142845729, 0.75138997554246],
    chosen: [-0.0053976829412551, -0.0015826955165579, -0.023752068697317, -0.0089700755584366],
    rejected: [0.01321241643418, 0.0046805430856141, 0.00054580091972641, 5.3755282503939e-05],
  },
  "dpo, alpha 0.5": {
    loss: dpo({ beta, labelSmoothing: 0.1, divergence: { alpha: 0.5 } }),
    losses: [0.51254426239196, 0.65698007763211, 20.777567320956, 0.81407651021777],
    chosen: [-0.0052111652461505, -0.003926163527469, -2.6006464015897, -0.017063702514805],
    rejected: [0.023354822327398, 0.008311688252876, 0.00345048675365, 0.00074972676476255],
  },
  "bcoPair, alpha 0.5": {
    loss: bcoPair({ beta, divergence: { alpha: 0.5 } }),
    losses: [1.1778841789198, 1.3444884509837, 23.794786173525, 1.535969012346],
    chosen: [-0.010491643991757, -0.0054278669402607, -2.8896071129159, -0.020815125784513],
    rejected: [0.028990839648818, 0.010060229666514, 0.001887542207543, 0.00079398987037505],
  },
  "sigmoidNorm, alpha 0.5": {
    loss: sigmoidNorm({ beta: 5, divergence: { alpha: 0.5 } }),
    losses: [0.0028242122406442, 0.57863040068591, 28.846601787654, 1.0447956542907],
    chosen: [-0.00039221351801052, -0.22892721474076, -3.6120088914735, -0.051259688081244],
    rejected: [0.0024608906516692, 0.24231945870464, 0.0061836680179388, 0.001726681693133],
  },
  "dpo, forward KL": {
    loss: dpo({ beta, labelSmoothing: 0.1, divergence: "forward_kl" }),
    losses: [0.38901864476466, 0.6694036090473, 1202.3732980724, 0.78323386346416],
    chosen: [-0.0021092758565992, -0.0016720482848451, -300.59385366739, -0.023955294000568],
    rejected: [0.042365938098911, 0.0074936005232679, 0.0005291492817602, 4.6244596387948e-05],
  },
  "hinge, forward KL": {
    loss: hinge({ beta, divergence: "forward_kl" }),
    losses: [0.0, 0.9394973160379, 1336.9703311916, 1.2112913245174],
    chosen: [-0.0, -0.0043443485862611, -333.99317074155, -0.052925000415317],
    rejected: [0.0, 0.019470019576785, 0.00058794364640023, 0.0001021692859616],
  },
  "dpo, alpha 1.5": {
    loss: dpo({ beta, labelSmoothing: 0.1, divergence: { alpha: 1.5 } }),
    losses: [0.61831253874222, 0.59987805797924, 1.4126779210818, 2.7409744104971],
    chosen: [-0.011244491237965, -0.020213491089687, -0.00014842940208457, -0.014642165393107],
    rejected: [0.0025089851307147, 0.0095481771048969, 0.1118718656181, 0.33325414828917],
  },
};
