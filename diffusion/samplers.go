package diffusion

import (
	"fmt"
	"strings"
)

// samplers are short names of schedulers with options that replace those of scheduler_config.json.
var samplers = []struct{ name, class, change string }{
	{"ddim", "DDIMScheduler", `{}`},
	{"pndm", "PNDMScheduler", `{}`},
	{"dpmsolver++", "DPMSolverMultistepScheduler", `{}`},
	{"dpmsolver++-karras", "DPMSolverMultistepScheduler", `{"use_karras_sigmas": true}`},
	{"dpmsolver++-1", "DPMSolverMultistepScheduler", `{"solver_order": 1}`},
	{"dpmsolver++-sde", "DPMSolverMultistepScheduler", `{"algorithm_type": "sde-dpmsolver++"}`},
	{"dpmsolver++-sde-karras", "DPMSolverMultistepScheduler", `{"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": true}`},
	{"unipc", "UniPCMultistepScheduler", `{}`},
	{"euler", "EulerDiscreteScheduler", `{}`},
	{"euler-karras", "EulerDiscreteScheduler", `{"use_karras_sigmas": true}`},
	{"euler-a", "EulerAncestralDiscreteScheduler", `{}`},
	{"heun", "HeunDiscreteScheduler", `{}`},
	{"lms", "LMSDiscreteScheduler", `{}`},
	{"lms-karras", "LMSDiscreteScheduler", `{"use_karras_sigmas": true}`},
	{"ddpm", "DDPMScheduler", `{}`},
	{"lcm", "LCMScheduler", `{}`},
}

// SamplerNames lists the short names that stand for a scheduler with its options: "ddim", "dpmsolver++-karras" and so on.
func SamplerNames() []string {
	var names []string
	for _, s := range samplers {
		names = append(names, s.name)
	}
	return names
}

// CheckSampler tells whether a name is one of [SamplerNames] or [SchedulerNames].
func CheckSampler(name string) error {
	_, _, err := findSampler(name)
	return err
}

// findSampler gives the class of a short name and the options it sets; the name of a class stands for itself.
func findSampler(name string) (class, change string, err error) {
	for _, s := range samplers {
		if s.name == name {
			return s.class, s.change, nil
		}
	}
	if _, err := findClass(name); err != nil {
		return "", "", fmt.Errorf("%w; or of the short names %s", err, strings.Join(SamplerNames(), ", "))
	}
	return name, `{}`, nil
}
