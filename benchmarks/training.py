"""One step of Pulse2Pulse's training at batch 16: ours beside the published recipe written plainly, same networks, same mathematics.

    python benchmarks/training.py [--save]
"""
import os, platform, subprocess, sys, time
from pathlib import Path
import pandas as pd, torch
import torch.nn.functional as F
from deepsynthbody_nb.cardiovascular import ecg
from deepsynthbody_nb.catalogue.shelf import find
from deepsynthbody_nb.training.gan import GANLesson, stream

HERE, BATCH, ROUNDS = Path(__file__).resolve().parent, 16, 2


def plain_critic(critic, x, shifts):
    for k, conv in enumerate(critic.convs):
        x = F.leaky_relu(conv(x), .2)
        if k < len(critic.convs) - 1:
            moved = torch.zeros_like(x)
            for i, by in enumerate(shifts[:, k].tolist()):                  # record by record, as published
                if by > 0: moved[i] = F.pad(x[i][..., :-by], (by, 0), mode='reflect')
                else: moved[i] = F.pad(x[i][..., -by:], (0, -by), mode='reflect')
            x = moved
    return critic.end(x.flatten(1))[:, 0]


def plain_teach_critic(game, optimiser, real, draw):
    generator, critic = game.networks.values()
    optimiser.zero_grad()
    fake = generator(game.noise(BATCH, draw)).detach()
    plain_critic(critic, real, critic.shifts(BATCH, draw)).mean().neg().backward()
    plain_critic(critic, fake, critic.shifts(BATCH, draw)).mean().backward()
    mixed = (real + torch.rand(BATCH, 1, 1, generator=draw)*(fake - real)).requires_grad_()
    score = plain_critic(critic, mixed, critic.shifts(BATCH, draw))
    slope = torch.autograd.grad(score, mixed, torch.ones_like(score), create_graph=True, retain_graph=True)[0]
    (10*((slope.flatten(1).norm(2, dim=1) - 1)**2).mean()).backward()
    optimiser.step()


def plain_teach_generator(game, optimiser, draw):
    generator, critic = game.networks.values()
    for p in critic.parameters(): p.requires_grad_(False)
    optimiser.zero_grad()
    plain_critic(critic, generator(game.noise(BATCH, draw)), critic.shifts(BATCH, draw)).mean().neg().backward()
    optimiser.step()
    for p in critic.parameters(): p.requires_grad_(True)


def measure(which):
    "In a process of its own: a critic's turn and a generator's, the first of each; seconds, and peak memory."
    torch.set_num_threads(2)
    game = GANLesson(ecg.sample(32, seed=0, leads=8), find('pulse2pulse'), batch=BATCH, critic_steps=1)
    plain = {k: torch.optim.Adam(n.parameters(), 1e-4, (.5, .9)) for k, n in game.networks.items()}
    def critic_turn(draw):
        if which == 'plain': plain_teach_critic(game, plain['critic'], game.real[torch.randint(32, (BATCH,), generator=draw)], draw)
        else: game.critic_turn(draw)
    def generator_turn(draw):
        if which == 'plain': plain_teach_generator(game, plain['generator'], draw)
        else: game.generator_turn(draw)
    took = {}
    for name, turn in dict(critic=critic_turn, generator=generator_turn).items():
        start = time.perf_counter(); turn(stream(0, 0)); took[name] = time.perf_counter() - start
    peak = next(int(line.split()[1])/1e6 for line in open('/proc/self/status') if line.startswith('VmHWM'))
    print('measured', took['critic'], took['generator'], peak)


def main():
    rows = []
    for k in range(ROUNDS):
        for which in ('plain', 'ours'):
            said = subprocess.run([sys.executable, '-W', 'ignore', __file__, which], capture_output=True, text=True, check=True).stdout
            critic, generator, peak = map(float, said.split('measured ')[1].split())
            rows.append(dict(round=k, which=which, critic_s=critic, generator_s=generator, step_s=5*critic + generator, peak_gb=peak))
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows).assign(machine=f"{platform.machine()}, {os.cpu_count()} cores, PyTorch {torch.__version__.partition('+')[0]}")
    if '--save' in sys.argv: table.round(3).to_csv(HERE/'training.csv', index=False)
    print(table.groupby('which')[['critic_s', 'generator_s', 'step_s', 'peak_gb']].agg(['median', 'min', 'max']).round(2).to_string())
    by = table.pivot(index='round', columns='which', values='step_s')
    print('times as fast, round by round:', (by.plain/by.ours).round(2).tolist())


if __name__ == '__main__': measure(sys.argv[1]) if sys.argv[1:2] in (['plain'], ['ours']) else main()
