"""
Stand-ins for public networks: their names, inputs, outputs and ways to lie, small and random.

Written from what is public about each interface, for test_public_models.py. What a checkout of the
authors has in its files, `CHECKOUTS` has as imports from here.
"""

import torch
from torch import nn
from torch.nn import functional

WIDTH = 4  # maps of each layer


class Chain(nn.Module):
    """Modules one after another, each under a dotted name."""

    def __init__(self, parts):
        super().__init__()
        self.paths = list(parts)
        for path, module in parts.items():
            self.put(path, module)

    def put(self, path, module):
        *outer, last = path.split(".")
        here = self
        for name in outer:
            if name not in dict(here.named_children()):
                here.add_module(name, nn.Module())
            here = here.get_submodule(name)
        here.add_module(last, module)

    def forward(self, x):
        for path in self.paths:
            x = self.get_submodule(path)(x)
        return x


def lively(made):
    """Return a convolution whose maps neither die nor fade from layer to layer."""
    nn.init.kaiming_normal_(made.weight)
    nn.init.constant_(made.bias, 0.1)
    return made


def conv(stride=2, before=WIDTH, kernel=None):
    kernel = kernel or stride + 1 + stride % 2
    made = nn.Conv2d(before, WIDTH, kernel, stride, (kernel - 1) // 2)
    return nn.Sequential(lively(made), nn.LeakyReLU())


def upsampled(before):
    made = lively(nn.Conv2d(before, WIDTH, 3, padding=1))
    return nn.Sequential(made, nn.LeakyReLU(), nn.UpsamplingBilinear2d(scale_factor=2))


# --- SimpleNet, TempSAL -------------------------------------------------------------------------


class Cell(nn.Module):
    """A cell of PNASNet: it sees the outputs of the two before it."""

    def __init__(self, stride):
        super().__init__()
        self.conv = conv(stride, kernel=3)
        self.skip = nn.Conv2d(WIDTH, WIDTH, 1)

    def forward(self, before, x, drop_path_prob):
        y = self.conv(x)
        return y + self.skip(functional.adaptive_avg_pool2d(before, y.shape[2:]))


class NetworkImageNet(nn.Module):
    def __init__(self, C, classes, layers, auxiliary, genotype):
        super().__init__()
        self.conv0, self.conv0_bn = nn.Conv2d(3, WIDTH, 3, 2), nn.BatchNorm2d(WIDTH)
        self.stem1, self.stem2 = Cell(2), Cell(2)
        self.cells = nn.ModuleList([Cell(2 if n in (4, 8) else 1) for n in range(layers)])


class Encoded(nn.Module):
    """The encoder of SimpleNet and TempSAL, and its decoder up to the last convolution."""

    def __init__(self, encoder, extra=0):
        super().__init__()
        if encoder is not None:
            self.pnas = encoder(216, 1001, 12, False, None)
            self.padding = nn.ConstantPad2d((0, 1, 0, 1), 0)
            self.deconv_layer0 = upsampled(WIDTH)
        for number in range(1, 5):
            self.add_module(f"deconv_layer{number}", upsampled(2 * WIDTH + extra))

    def encode(self, x):
        s0 = self.pnas.conv0_bn(self.pnas.conv0(x))
        outs = [self.padding(s0)]
        s0, s1 = s0, self.pnas.stem1(s0, s0, 0)
        outs.append(s1)
        s0, s1 = s1, self.pnas.stem2(s0, s1, 0)
        for number, cell in enumerate(self.pnas.cells):
            s0, s1 = s1, cell(s0, s1, 0)
            if number % 4 == 3:
                outs.append(s1)
        return [*outs[:-1], self.deconv_layer0(outs[-1])]

    def decode(self, outs, maps=None):
        x = outs[-1]
        for number, out in enumerate(outs[-2::-1], start=1):
            parts = [x, out]
            if maps is not None:
                parts.append(functional.interpolate(maps, out.shape[2:], mode="bicubic"))
            x = self.get_submodule(f"deconv_layer{number}")(torch.cat(parts, dim=1))
        return x


class PNASModel(Encoded):
    """SimpleNet: (n, y, x) in 0..1."""

    def __init__(self, num_channels=3, train_enc=False, load_weight=1, encoder=NetworkImageNet):
        super().__init__(encoder)
        if load_weight:
            raise FileNotFoundError("../PNAS/PNASNet-5_Large.pth")
        self.deconv_layer5 = nn.Sequential(nn.Conv2d(WIDTH, 1, 3, padding=1), nn.Sigmoid())

    def forward(self, images):
        return self.deconv_layer5(self.decode(self.encode(images))).squeeze(1)


class PNASVolModellast(Encoded):
    """Maps of five times, divided by the largest value of the batch, and the encoder's outputs."""

    def __init__(self, time_slices, num_channels=3, train_enc=False, load_weight=1):
        super().__init__(NetworkImageNet)
        self.deconv_layer5 = nn.Sequential(
            nn.Conv2d(WIDTH, time_slices, 3, padding=1), nn.Sigmoid()
        )

    def forward(self, images):
        outs = self.encode(images)
        x = self.deconv_layer5(self.decode(outs))
        return x / x.max(), outs


class PNASBoostedModelMultiLevel(Encoded):
    """TempSAL: it asks for a GPU and reads its file when it is made; its map and five others."""

    def __init__(self, device, model_path, model_vol_path, time_slices):
        super().__init__(None, extra=6)
        self.deconv_mix = nn.Sequential(nn.Conv2d(WIDTH + 6, 1, 3, padding=1), nn.Sigmoid())
        parts = {"pnas_vol": {}, "pnas_sal": {}, "": {}}
        for name, value in torch.load(model_path).items():
            outer, _, inner = name.partition(".module.")
            parts.get(outer, parts[""])[inner if outer in parts else name] = value
        self.load_state_dict(parts[""])
        vol = nn.DataParallel(PNASVolModellast(5, load_weight=0)).cuda()
        vol.load_state_dict(parts["pnas_vol"])
        sal = nn.DataParallel(PNASModel(load_weight=0)).cuda()
        sal.load_state_dict(parts["pnas_sal"])
        self.pnas_vol = nn.DataParallel(vol).cuda()
        self.pnas_sal = nn.DataParallel(sal).to(device)

    @classmethod
    def untrained(cls):
        """Make one without a file, whose weights can be saved as the authors' are."""
        made = cls.__new__(cls)
        Encoded.__init__(made, None, extra=6)
        made.deconv_mix = nn.Sequential(nn.Conv2d(WIDTH + 6, 1, 3, padding=1), nn.Sigmoid())
        vol, sal = PNASVolModellast(5, load_weight=0), PNASModel(load_weight=0)
        made.pnas_vol = nn.DataParallel(nn.DataParallel(vol))
        made.pnas_sal = nn.DataParallel(nn.DataParallel(sal))
        return made

    def forward(self, images):
        single = self.pnas_sal(images).unsqueeze(1)
        slices, outs = self.pnas_vol(images)
        maps = torch.cat([single, slices], dim=1)
        x = torch.cat([self.decode(outs, maps), maps], dim=1)
        return self.deconv_mix(x).squeeze(1), slices


# --- DeepGaze -----------------------------------------------------------------------------------


class Normalizer(nn.Module):
    def forward(self, x):
        return (x / 255 - 0.45) / 0.225


class FeatureExtractor(nn.Module):
    """It keeps what its own hooks see of the features."""

    def __init__(self, features, targets):
        super().__init__()
        self.features, self.targets, self.outputs = features, targets, {}
        for target in targets:
            features.get_submodule(target).register_forward_hook(self.saver(target))

    def saver(self, target):
        def hook(module, inputs, output):
            self.outputs[target] = output.clone()

        return hook

    def forward(self, x):
        self.outputs.clear()
        self.features(x)
        return [self.outputs[target] for target in self.targets]


class Finalizer(nn.Module):
    def __init__(self):
        super().__init__()
        self.center_bias_weight = nn.Parameter(torch.ones(1))

    def forward(self, readout, centerbias):
        out = functional.interpolate(readout, centerbias.shape[1:])[:, 0]
        out = out + self.center_bias_weight * centerbias
        return out - out.logsumexp(dim=(1, 2), keepdim=True)


def features_of(*targets):
    """Features at strides 2, 4, ... of which the targets are the last."""
    parts = {"0": Normalizer(), "1.first": conv(2, before=3)}
    parts.update({f"1.{target}": nn.Conv2d(WIDTH, WIDTH, 3, 1, 1) for target in targets})
    return FeatureExtractor(Chain(parts), [f"1.{target}" for target in targets])


class DeepGazeI(nn.Module):
    """A log-density (n, y, x) of the image in 0..255 and of the centre bias (n, y, x)."""

    def __init__(self, pretrained=True):
        super().__init__()
        self.features = features_of("features.10")
        self.readout_network = Chain({"conv0": nn.Conv2d(WIDTH, 1, 1, bias=False)})
        self.finalizer = Finalizer()

    def forward(self, x, centerbias):
        x = functional.interpolate(x, scale_factor=0.5)
        return self.finalizer(self.readout_network(self.features(x)[0]), centerbias)

    def train(self, mode=True):  # it returns nothing, as the authors' does
        self.finalizer.train(mode=mode)


class Mixture(nn.Module):
    """A mixture of readouts on the same features; a scanpath's history changes them."""

    def __init__(self, *targets, scanpath=False):
        super().__init__()
        self.features = features_of(*targets)
        width = WIDTH * len(targets)
        self.saliency_networks = nn.ModuleList(
            [Chain({"conv0": nn.Conv2d(width, 1, 1)}) for _ in range(2)]
        )
        self.scanpath_networks = nn.ModuleList(
            [nn.Conv2d(3, 1, 1) if scanpath else None for _ in range(2)]
        )
        self.finalizers = nn.ModuleList([Finalizer() for _ in range(2)])

    def forward(self, x, centerbias, x_hist=None, y_hist=None, durations=None):
        size = x.shape[2:]
        features = torch.cat(self.features(functional.interpolate(x, scale_factor=0.5)), dim=1)
        predictions = []
        for saliency, scanpath, finalizer in zip(
            self.saliency_networks, self.scanpath_networks, self.finalizers, strict=True
        ):
            readout = saliency(features)
            if scanpath is not None:
                seen = self.history(x_hist, y_hist, size)
                readout = readout + functional.interpolate(scanpath(seen), readout.shape[2:])
            predictions.append(finalizer(readout, centerbias)[:, None])
        mixed = torch.cat(predictions, dim=1) - torch.tensor(2.0).log()
        return mixed.logsumexp(dim=1, keepdim=True)

    @staticmethod
    def history(x_hist, y_hist, size):
        """Distances to the fixations that there were; nan stands for none."""
        ys, xs = torch.meshgrid(
            *(torch.arange(n, dtype=torch.float32) for n in size), indexing="ij"
        )
        dx = (xs - x_hist[:, :1, None, None]) / 100
        dy = (ys - y_hist[:, :1, None, None]) / 100
        assert not dx.isnan().any() and x_hist[:, 1:].isnan().all()
        return torch.cat([dx, dy, dx.hypot(dy)], dim=1)


class DeepGazeIIE(nn.Module):
    """Four mixtures, whose `forward` is called without their hooks."""

    TARGETS = (
        ("module.layer3.5.conv2", "module.layer4.1.conv2"),
        ("_blocks.24._depthwise_conv",),
        ("features.denseblock4.denselayer31.conv2",),
        ("layer3.5.conv2", "layer4.2.conv2"),
    )

    def __init__(self, pretrained=True):
        super().__init__()
        self.models = nn.ModuleList([Mixture(*targets) for targets in self.TARGETS])

    def forward(self, *inputs):
        predictions = torch.cat([model.forward(*inputs) for model in self.models], dim=1)
        return (predictions - torch.tensor(4.0).log()).logsumexp(dim=1, keepdim=True)


class DeepGazeIII(Mixture):
    def __init__(self, pretrained=True):
        super().__init__("features.denseblock4.denselayer31.conv2", scanpath=True)


# --- TranSalNet ---------------------------------------------------------------------------------


def resnet(pretrained=False):
    """Return the parts of a ResNet, in the order in which TranSalNet takes them."""
    if pretrained:
        raise FileNotFoundError("pretrained_models/resnet50-0676ba61.pth")
    parts = [nn.Conv2d(3, WIDTH, 7, 2, 3), nn.BatchNorm2d(WIDTH), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*parts, *(conv(stride) for stride in (1, 2, 2, 2)))


class TransEncoder(nn.Module):
    """Tokens with position embeddings of one landscape size, brought back to maps."""

    def __init__(self, spatial_size):
        super().__init__()
        self.patch_embeddings = nn.Conv2d(WIDTH, WIDTH, 1)
        self.position_embeddings = nn.Parameter(torch.zeros(1, spatial_size, WIDTH))
        few = spatial_size < 1000  # attention among more takes long
        self.attention = nn.MultiheadAttention(WIDTH, 1, batch_first=True) if few else None
        self.mlp = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))

    def forward(self, x):
        tokens = self.patch_embeddings(x).flatten(2).transpose(1, 2) + self.position_embeddings
        if self.attention is not None:
            tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        tokens = tokens + self.mlp(tokens)
        return tokens.transpose(1, 2).reshape(x.shape)


class TranSalNet(nn.Module):
    """(n, 1, y, x) in 0..1, of 288 x 384 px."""

    def __init__(self, backbone):
        super().__init__()
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.encoder = nn.ModuleList(backbone.children())
        for number, cells in enumerate((9 * 12, 18 * 24, 36 * 48), start=1):
            self.decoder.add_module(f"TransEncoder{number}", TransEncoder(cells))
            self.decoder.add_module(f"conv{number}", nn.Conv2d(WIDTH, WIDTH, 3, padding=1))
        self.decoder.conv7 = nn.Conv2d(WIDTH, 1, 3, padding=1)

    def forward(self, x):
        outputs = []
        for number, layer in enumerate(self.encoder.encoder):
            x = layer(x)
            if number >= 5:
                outputs.append(x)
        decoder, x = self.decoder, 1
        for number, output in enumerate(outputs[::-1], start=1):
            x = x * decoder.get_submodule(f"TransEncoder{number}")(output)
            x = decoder.get_submodule(f"conv{number}")(x).relu()
            x = functional.interpolate(x, scale_factor=2)
        return functional.interpolate(decoder.conv7(x), scale_factor=4).sigmoid()


# --- clips --------------------------------------------------------------------------------------


def conv3d(stride=(1, 2, 2), before=WIDTH, kernel=(1, 3, 3)):
    padding = tuple(extent // 2 for extent in kernel)
    made = lively(nn.Conv3d(before, WIDTH, kernel, stride, padding))
    return nn.Sequential(made, nn.LeakyReLU())


def encoder3d():
    """Four blocks at strides 4, 8, 16, 32 of which the first and the third halve the frames."""
    strides = [(2, 4, 4), (1, 2, 2), (2, 2, 2), (1, 2, 2)]
    return [
        conv3d(stride, 3 if n == 0 else WIDTH, (3, 5, 5) if n == 0 else (1, 3, 3))
        for n, stride in enumerate(strides)
    ]


class TASED_v2(nn.Module):
    """Clips (n, 3, time, y, x) to the map (n, y, x) in 0..1 of the last frame."""

    def __init__(self):
        super().__init__()
        self.base1, self.base2, self.base3, self.base4 = encoder3d()
        self.maxp4 = nn.MaxPool3d((1, 2, 2), (1, 2, 2), return_indices=True)
        self.unpool1 = nn.MaxUnpool3d((1, 2, 2), (1, 2, 2))
        for number in range(1, 5):
            made = nn.ConvTranspose3d(WIDTH, WIDTH, (1, 3, 3), padding=(0, 1, 1))
            self.add_module(f"convtsp{number}", nn.Sequential(made, nn.LeakyReLU()))
        self.last = nn.Sequential(nn.Conv3d(WIDTH, 1, 1), nn.Sigmoid())

    def forward(self, x):
        y, indices = self.maxp4(self.base3(self.base2(self.base1(x))))
        z = self.convtsp1(self.base4(functional.interpolate(y, scale_factor=(1, 2, 2))))
        z = self.convtsp2(self.unpool1(z, indices))
        z = self.convtsp3(functional.interpolate(z, scale_factor=(1, 4, 4)))
        z = self.convtsp4(functional.interpolate(z, scale_factor=(1, 4, 4)))
        z = self.last(z.mean(2, keepdim=True))
        return z.view(z.size(0), z.size(3), z.size(4))


class VideoSaliencyModel(nn.Module):
    """ViNet: as TASED-Net, its features joined along time."""

    def __init__(self, transformer_in_channel=32, nhead=4, use_upsample=True, num_hier=3):
        super().__init__()
        self.backbone, self.decoder = nn.Module(), nn.Module()
        for number, block in enumerate(encoder3d(), start=1):
            self.backbone.add_module(f"base{number}", block)
        for number in range(1, 4):
            made = [*conv3d(1), nn.Upsample(scale_factor=(1, 2, 2), mode="trilinear")]
            self.decoder.add_module(f"convtsp{number}", nn.Sequential(*made))
        self.decoder.convtsp4 = nn.Sequential(nn.Conv3d(WIDTH, 1, 1), nn.Sigmoid())

    def forward(self, x):
        outputs = []
        for number in range(1, 5):
            x = self.backbone.get_submodule(f"base{number}")(x)
            outputs.append(x)
        for number, output in enumerate(outputs[2::-1], start=1):
            x = torch.cat([self.decoder.get_submodule(f"convtsp{number}")(x), output], dim=2)
        x = functional.interpolate(x.mean(2, keepdim=True), scale_factor=(1, 4, 4))
        return self.decoder.convtsp4(x)[:, 0, 0]


class HD2S(nn.Module):
    """What maps of four depths are joined to (n, y, x); in training these as well, before it."""

    def __init__(self, pretrained=False):
        super().__init__()
        self.featureExtractor = nn.Module()
        for number, block in enumerate(encoder3d(), start=1):
            self.featureExtractor.add_module(f"block{number}", block)
            self.add_module(f"decoder{number}", nn.Conv2d(WIDTH, 1, 1))
        self.conv_t4 = conv3d((2, 1, 1), kernel=(3, 1, 1))
        self.last_conv = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        size, maps = x.shape[3:], []
        for number in range(1, 5):
            x = self.featureExtractor.get_submodule(f"block{number}")(x)
            y = (self.conv_t4(x) if number == 4 else x).mean(2)
            y = self.get_submodule(f"decoder{number}")(y)
            maps.append(functional.interpolate(y, size, mode="bilinear").sigmoid())
        out = self.last_conv(torch.cat(maps, dim=1)).sigmoid()
        if self.training:
            return tuple(each.squeeze(1) for each in (*maps, out))
        return out.squeeze(1)


# --- SalFBNet, EML-Net, SalEMA ------------------------------------------------------------------


class FBNet(nn.Module):
    """Blocks that run once more on what their own outputs feed back; a map and a list of maps."""

    def __init__(self, input_dim=3):
        super().__init__()
        parts = {"conv1": conv(4, before=3), "layer1": conv(1), "layer2": conv(), "layer3": conv()}
        self.features = Chain(parts)
        self.conv_c2_feedback = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.c_score1, self.c_score2 = nn.Conv2d(WIDTH, 1, 1), nn.Conv2d(WIDTH, 1, 1)
        self.score_smoothing = nn.Conv2d(1, 1, 41, padding=20, bias=False)
        nn.init.constant_(self.score_smoothing.weight, 41.0**-2)

    def run(self, h):
        for name in ("layer1", "layer2", "layer3"):
            h = self.features.get_submodule(name)(h)
        return h

    def forward(self, x):
        first = self.features.conv1(x)
        deep = self.run(first)
        back = functional.interpolate(self.conv_c2_feedback(deep), scale_factor=4, mode="bilinear")
        scores = []
        for score, h in ((self.c_score1, deep), (self.c_score2, self.run(back))):
            full = functional.interpolate(score(h), x.shape[2:], mode="bilinear")
            scores.append(self.score_smoothing(full.exp()).relu())
        return scores[0] + scores[1], scores


class EMLResNet(nn.Module):
    """A ResNet whose four blocks are read out: (n, 1, y, x) in 0..1."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, 7, 2, 3)
        for number in range(1, 5):
            self.add_module(f"layer{number}", conv())
            self.add_module(f"output{number}", nn.Conv2d(WIDTH, 1, 3, padding=1))
        self.combined = nn.Sequential(nn.Conv2d(4, 1, 3, padding=1), nn.Sigmoid())

    def forward(self, x):
        size, x = x.shape[2:], self.conv1(x).relu()
        readout, outs = x.shape[2:], []
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
            out = self.get_submodule(f"output{number}")(x)
            outs.append(functional.interpolate(out, readout))
        return functional.interpolate(self.combined(torch.cat(outs, dim=1)), size)


def resnet50(model_path):
    """Make EML-Net; with a path it would read the file, onto the GPU that it was saved on."""
    assert model_path is None
    return EMLResNet()


class SalEMA(nn.Module):
    """A state, and the map (n, 1, y, x) in 0..1 of the frame; dropout works in eval mode too."""

    def __init__(self, alpha, ema_loc, residual, dropout, use_gpu=True):
        super().__init__()
        self.alpha, self.ema_loc, self.dropout = torch.Tensor([alpha]), ema_loc, dropout
        parts = []
        for block, depth in enumerate((2, 2, 3, 3, 3)):
            for _ in range(depth):
                parts += conv(1, WIDTH if parts else 3)
            parts += [nn.MaxPool2d(2)] if block < 4 else []
        parts += [*conv(1), nn.Upsample(scale_factor=16), nn.Conv2d(WIDTH, 1, 1), nn.Sigmoid()]
        self.salgan = nn.Sequential(*parts)

    def forward(self, input_, prev_state=None):
        x = self.salgan[: self.ema_loc](input_)
        x = functional.dropout2d(x) if self.dropout else x
        state = self.salgan[self.ema_loc](x)
        return state, self.salgan[self.ema_loc + 1 :](state)


# --- timm ---------------------------------------------------------------------------------------


class ChannelsLast(nn.Module):
    """A stage of Swin: (n, y, x, channel) in and out."""

    def __init__(self, stride):
        super().__init__()
        self.conv = nn.Conv2d(WIDTH, WIDTH, stride + 1, stride, stride // 2)

    def forward(self, x):
        return self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Patches(nn.Module):
    """Patches of an image, as channels last or as tokens."""

    def __init__(self, side, tokens):
        super().__init__()
        self.proj, self.tokens = nn.Conv2d(3, WIDTH, side, side), tokens
        self.size = (224, 224)

    def forward(self, x):
        if x.shape[2:] != self.size:
            raise AssertionError(f"Input size {tuple(x.shape[2:])} doesn't match {self.size}.")
        x = self.proj(x).permute(0, 2, 3, 1)
        return x.flatten(1, 2) if self.tokens else x


class Block(nn.Module):
    """A block of tokens: each sees itself and, a little, the mean of all."""

    def __init__(self):
        super().__init__()
        self.own, self.all = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        return x + self.own(x) + 0.1 * self.all(x.mean(1, keepdim=True))


class ClassToken(nn.Module):
    def __init__(self):
        super().__init__()
        self.cls_token = nn.Parameter(torch.ones(1, 1, WIDTH))

    def forward(self, x):
        return torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1)


class Unroll(nn.Module):
    """Tokens in the order of Hiera: by place in windows of 2 x 2, three times."""

    def forward(self, x):
        n, tokens, width = x.shape
        side = int(tokens**0.5)
        x = x.reshape(n, side, side, width)
        for _ in range(3):
            side //= 2
            x = x.reshape(-1, side, 2, side, 2, width).permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
        return x.reshape(n, tokens, width)


class Pooled(nn.Module):
    """The block that ends a stage of Hiera: the largest of the four tokens of a window."""

    def forward(self, x):
        return x.reshape(len(x), 4, -1, x.shape[2]).amax(1)


class Classifier(nn.Module):
    """Features and a head on their mean: (n, class)."""

    def __init__(self, parts, channels_first=True):
        super().__init__()
        for path, module in parts.items():
            Chain.put(self, path, module)
        self.paths, self.channels_first = list(parts), channels_first
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x):
        x = Chain.forward(self, x)
        x = x.flatten(2).mean(2) if self.channels_first else x.flatten(1, -2).mean(1)
        return self.head(x)


def create_model(model_name, pretrained=False, **options):
    """Make a classifier by its name, as timm does."""
    assert pretrained
    family = model_name.partition("_")[0]
    if family == "resnet50":
        stages = {f"layer{n}": conv(2 if n > 1 else 1) for n in range(1, 5)}
        return Classifier({"conv1": conv(4, before=3), **stages})
    if family == "convnext":
        stages = {f"stages.{n}": conv(2) for n in range(1, 4)}
        return Classifier({"stem": conv(4, before=3, kernel=4), "stages.0": conv(1), **stages})
    if family == "efficientnet":
        strides = (1, 2, 2, 2, 1, 2, 1)
        stages = {f"blocks.{n}": conv(stride) for n, stride in enumerate(strides)}
        return Classifier({"conv_stem": conv(2, before=3), **stages})
    if family == "swin":
        stages = {f"layers.{n}": ChannelsLast(2 if n else 1) for n in range(4)}
        return Classifier({"patch_embed": Patches(4, False), **stages}, False)
    blocks = {f"blocks.{n}": Block() for n in range(12)}
    if family == "deit":
        return Classifier({"patch_embed": Patches(16, True), "0": ClassToken(), **blocks}, False)
    assert family == "hiera"
    blocks.update({f"blocks.{n}": nn.Sequential(Pooled(), Block()) for n in (1, 3, 10)})
    return Classifier({"patch_embed": Patches(4, True), "unroll": Unroll(), **blocks}, False)


IMPORT = "from public_models import "
RESNET = """import public_models


def resnet50(pretrained=False):
    return public_models.resnet(pretrained)
"""
TRANSALNET = """import public_models
import utils.resnet as resnet


class TranSalNet(public_models.TranSalNet):
    def __init__(self):
        super().__init__(resnet.resnet50(pretrained=True))
"""
SIMPLENET = """import functools

import public_models
from PNASnet import NetworkImageNet

PNASModel = functools.partial(public_models.PNASModel, encoder=NetworkImageNet)
"""
# What lies in the authors' checkouts, and in installed packages.
CHECKOUTS = {
    "deepgaze_pytorch.py": f"{IMPORT}DeepGazeI, DeepGazeIIE, DeepGazeIII\n",
    "timm.py": f"{IMPORT}create_model\n",
    "saliency/PNAS/PNASnet.py": f"{IMPORT}NetworkImageNet\n",
    "saliency/SimpleNet/model.py": SIMPLENET,
    "Tempsal/src/PNAS/PNASnet.py": f"{IMPORT}NetworkImageNet\n",
    "Tempsal/src/model.py": "import PNASnet\n"
    f"{IMPORT}PNASBoostedModelMultiLevel, PNASVolModellast\n",
    "TranSalNet/utils/resnet.py": RESNET,
    "TranSalNet/TranSalNet_Res.py": TRANSALNET,
    "TASED-Net/model.py": f"{IMPORT}TASED_v2\n",
    "ViNet/model.py": f"from block import fusions\n{IMPORT}VideoSaliencyModel\n",
    "hd2s/models/HD2S.py": f"{IMPORT}HD2S\n",
    "SalFBNet/networks/FeedBackNet_Res18Fixed.py": f"{IMPORT}FBNet\n",
    "EML-NET-Saliency/resnet.py": f"{IMPORT}resnet50\n",
    "SalEMA/src/model/SalEMA.py": f"{IMPORT}SalEMA\n",
}
